"""Answers about traffic, for the API: no state, no clock, no numpy.

Consumes `ports.series.SeriesReader` and `ports.bus.Bus`; emits `wire` messages. Promises: quantiles over several
windows come from merged sketches, never from averaged quantiles; a question that would cost too much is refused with
ForegateError("invalid_parameter") that says what to ask instead.
"""

from foregate.telemetry.query.answers import Query
from foregate.telemetry.query.events import EventTail, recent_events
from foregate.telemetry.query.metrics import metrics

__all__ = ["EventTail", "Query", "metrics", "recent_events"]
