"""Journeys: the spans of one trace, from wherever they came, joined, judged and drawn.

Consumes spans and events of the bus. Emits kept journeys and the calls between services. Promises: an acknowledged span
is in a kept journey, or counted as of one that was not kept; a call is counted once.
"""

from foregate.telemetry.journeys.collector import Collector
from foregate.telemetry.journeys.query import Query

__all__ = ["Collector", "Query"]
