"""Who asks whom, from the journeys that the keeper keeps: for the health of what a service depends on."""

from collections.abc import Iterable
from pathlib import Path

from foregate.adapters.embedded.journeys import EmbeddedJourneys
from foregate.telemetry.journeys.from_event import GATEWAY
from foregate.telemetry.journeys.service_map import OTHERS, OUTSIDE
from foregate.wire.journey import Call

REMEMBERED_S = 3_600.0  # after its last call an edge is forgotten
LATE_S = 300.0  # traces are decided some time after they ended: so far back is looked again
CALLS_MAX = 10_000  # edges; with more of them those that were met first are known

_NOBODY = frozenset({OUTSIDE, OTHERS, GATEWAY})  # the gateway asks every service, and depends on each alike

Edge = tuple[str, str, str, str]  # org, environment, caller, callee


class Calls:
    """`read` about once a minute. Nobody is his own dependency."""

    def __init__(self, journeys: Path) -> None:
        self._file = journeys
        self._store: EmbeddedJourneys | None = None
        self._last_s: dict[Edge, float] = {}
        self._read_to_s = 0.0

    def read(self, now_s: float) -> frozenset[Edge]:
        """Edges of the last hour. Raises OSError."""
        if self._store is None:
            if not self._file.exists():  # the keeper makes it
                return frozenset()
            self._store = EmbeddedJourneys(self._file)
        since_s = max(self._read_to_s - LATE_S, now_s - REMEMBERED_S)
        self._learn(self._store.callers(since_s - since_s % 60, CALLS_MAX))
        self._read_to_s = now_s
        self._last_s = {edge: last_s for edge, last_s in self._last_s.items() if last_s >= now_s - REMEMBERED_S}
        return frozenset(self._last_s)

    def _learn(self, found: Iterable[tuple[Call, float]]) -> None:
        for call, last_s in found:
            if call.caller in _NOBODY or call.callee in _NOBODY or call.caller == call.callee:
                continue
            edge = (call.org, call.caller_environment or call.callee_environment, call.caller, call.callee)
            if edge in self._last_s or len(self._last_s) < CALLS_MAX:
                self._last_s[edge] = max(last_s, self._last_s.get(edge, 0.0))

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
