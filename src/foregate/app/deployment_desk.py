"""What pipelines and people say of new versions, from the console's API."""

from collections.abc import Callable, Sequence

from foregate.kernel.clock import Clock
from foregate.kernel.ids import new_id
from foregate.ports.changes import ChangeStore
from foregate.wire.change import Change
from foregate.wire.snapshot import Snapshot

SAME_S = 300.0  # a pipeline that asks again after an answer was lost means the deployment that is known
_LOOKED_AT = 200  # of the newest, for one that is the same


class DeploymentDesk:
    """`snapshot` gives the configuration in force. All methods block, and may raise OSError."""

    def __init__(self, store: ChangeStore, clock: Clock, snapshot: Callable[[], Snapshot]) -> None:
        self._store = store
        self._clock = clock
        self._snapshot = snapshot

    def recent(self, limit: int, before_s: float | None) -> Sequence[Change]:
        """Deployments, and changes of the configuration; the newest first."""
        return self._store.recent(limit, before_s=before_s)

    def add(self, service: str, version: str, environment: str, note: str, by: str) -> Change:
        """`environment`: "" for the gateway's own. The same version of the same service within `SAME_S` is one."""
        snapshot, now_s = self._snapshot(), self._clock.now()
        made = Change(
            new_id("dep"),
            now_s,
            "deployment",
            snapshot.org,
            environment or snapshot.environment,
            (service,),
            version=version,
            by=by,
            note=note,
        )
        return kept_once(self._store, made)


def kept_once(store: ChangeStore, made: Change) -> Change:
    """Keep it, unless the same version of the same service was said around the same time: then that one. Raises
    OSError."""
    for known in store.recent(_LOOKED_AT) if made.version else ():
        if abs(known.time_s - made.time_s) < SAME_S and _same(known, made):
            return known
    store.put([made])
    return made


def _same(one: Change, other: Change) -> bool:
    return (one.kind, one.org, one.environment, one.services, one.version) == (
        other.kind, other.org, other.environment, other.services, other.version,
    )  # fmt: skip
