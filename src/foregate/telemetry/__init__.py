"""Telemetry: from events on the bus to windows in the series store, and back as answers.

Consumes batches of `wire.event.RequestEvent` (bus topics "events" and "history"); emits `wire.window` messages: stored
windows, ticks for judgement, closed minutes. Promises: every event ends as exactly one of accepted, late, invalid; a
window counts an event exactly once across kill -9; quantiles are within 1 %.
This door is for asking. Making windows has its own, so that asking costs no numpy: `telemetry.windows` (pure) and
`telemetry.consumer` (the loop of the analyzer). They share `sketch`, `facets` and
`tally`.
"""

from foregate.telemetry.query import Query
from foregate.telemetry.sketch import Sketch

__all__ = ["Query", "Sketch"]
