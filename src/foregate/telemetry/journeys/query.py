"""Questions about journeys."""

from collections.abc import Sequence

from foregate.ports.journeys import JourneyPage, JourneyReader
from foregate.telemetry.journeys.service_map import MINUTE_S, edges
from foregate.telemetry.journeys.waterfall import drawn
from foregate.wire.journey import Edge, Journey, JourneyAsk


class Query:
    """Answers from a store. Blocking; threads may share it."""

    def __init__(self, store: JourneyReader) -> None:
        self._store = store

    def search(self, ask: JourneyAsk, limit: int, cursor: str = "") -> JourneyPage:
        """Newest first. Raises ForegateError("invalid_parameter") for a cursor that is none."""
        return self._store.search(ask, limit, cursor)

    def journey(self, org: str, trace_id: str) -> Journey | None:
        """As people see it; None where it was not kept, or is no more."""
        stored = self._store.load(org, trace_id)
        return drawn(stored) if stored is not None else None

    def service_map(self, org: str, from_s: float, until_s: float) -> Sequence[Edge]:
        """Calls between services in the whole minutes from the one that holds `from_s`, the most frequent first."""
        from_s -= from_s % MINUTE_S
        return edges(self._store.calls(org, from_s, until_s), max(1.0, until_s - from_s))

    def counts(self) -> dict[str, int]:
        """What became of spans and traces, since ever."""
        return self._store.counts()
