"""What operators may do about canaries, from the console or the command line: look, and let one go on.

Works on the store and writes verdicts.json itself: it needs nobody else to be alive.
"""

from collections.abc import Sequence

from foregate.app.paths import DataDir
from foregate.app.verdicts import publish
from foregate.kernel.clock import Clock
from foregate.kernel.errors import ForegateError
from foregate.ports.verdicts import VerdictStore
from foregate.wire.canary import CanaryState, fingerprint
from foregate.wire.decision import AuditLine
from foregate.wire.snapshot import canaries_in


class CanaryDesk:
    """All methods block, and may raise OSError."""

    def __init__(self, data: DataDir, store: VerdictStore, clock: Clock) -> None:
        self._data = data
        self._store = store
        self._clock = clock

    def all(self) -> Sequence[CanaryState]:
        """Those of the configuration in force, and what became of them."""
        try:
            configured = canaries_in(self._data.snapshot.read_bytes())
        except FileNotFoundError:
            return ()
        out = {(each.route, each.settings): each for each in self._store.verdicts(self._clock.now()).canaries}
        found = []
        for route, service, canary in configured:
            ended = out.get((route, fingerprint(canary)))
            reason, since_s = (ended.reason, ended.since_s) if ended is not None else ("", 0.0)
            found.append(
                CanaryState(route, service, canary.service, canary.weight, ended is not None, since_s or None, reason)
            )
        return found

    def resume(self, route: str, by: str, note: str = "") -> CanaryState:
        """Give it its share again. Raises ForegateError("not_found") where none was rolled back."""
        known = next((each for each in self.all() if each.route == route and each.rolled_back), None)
        line = AuditLine(self._clock.now(), "resume", route, "", by, note)
        if known is None or self._store.resume(route, line) is None:
            raise ForegateError("not_found", f'No canary of a route "{route}" is rolled back.')
        publish(self._data, self._store, self._clock)
        return next(each for each in self.all() if each.route == route)
