"""Telemetry: from events on the bus to windows in the series store, and back as answers.

Consumes batches of `wire.event.RequestEvent` (bus topic "events"); emits `wire.window` messages: stored windows, ticks
for judgement, closed minutes. Promises: every event ends as exactly one of accepted, late, invalid; a window counts an
event exactly once across kill -9; quantiles are within 1 %.
Three doors, so that asking costs no numpy: `telemetry.windows` (pure), `telemetry.consumer` (the loop of the analyzer),
`telemetry.query` (answers for the API). They share `sketch` and `tally`.
"""

__all__: list[str] = []
