"""All sources joined: per minute and entity what they say, each on its own."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import structlog

from foregate.adapters.embedded.changes import EmbeddedChanges
from foregate.adapters.embedded.limits.reader import LimitsReader
from foregate.app.paths import DataDir
from foregate.app.signals.calls import Calls, Edge
from foregate.app.signals.certificates import Certificates, Expiries
from foregate.app.signals.changes import MINUTE_S, changes_of_minute
from foregate.app.signals.current import CurrentSnapshot
from foregate.app.signals.disk import DiskLeft
from foregate.app.signals.quotas import Quotas
from foregate.app.signals.resources import Resources
from foregate.app.signals.time_limits import TimeLimits
from foregate.kernel.clock import Clock
from foregate.ports.changes import ChangeStore
from foregate.wire.change import BY_CONFIGURATION, DEPLOYS, Change
from foregate.wire.entity import Entity
from foregate.wire.objective import ObjectiveState
from foregate.wire.snapshot import Snapshot

BUDGET_AGE_MAX_S = 900.0  # an older error budget is not known any more
_NO_EXPIRIES = Expiries(None, {})
_T = TypeVar("_T")


class Signals:
    """Asked by one thread. Costs some tens of milliseconds for 10,000 entities, and is never waited for by traffic.

    Nothing raises: a source that fails leaves its names out of the answer, and the log has it once until it is back.
    """

    def __init__(
        self,
        *,
        snapshot: CurrentSnapshot,
        changes: ChangeStore,
        quotas: Quotas,
        certificates: Certificates,
        disk: DiskLeft,
        calls: Calls,
        resources: Resources,
        objectives: Callable[[], Sequence[ObjectiveState]],
        clock: Clock,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._snapshot = snapshot
        self._changes = changes
        self._quotas = quotas
        self._certificates = certificates
        self._disk = disk
        self._calls = calls
        self._resources = resources
        self._time_limits = TimeLimits()
        self._objectives = objectives
        self._clock = clock
        self._log = log
        self._failing: dict[str, str] = {}  # source → what was said of it
        self._edges: frozenset[Edge] = frozenset()

    def minute(self, start_s: float, entities: Sequence[Entity]) -> Mapping[Entity, Mapping[str, float]]:
        """Of the minute that began at `start_s` and is over: names of `wire.minutes.SIGNALS`; what is not known is
        absent. What is left of anything is as of now, but for what services say of themselves, which is of that minute.
        An entity without an entry has no signal."""
        snapshot = self._from("configuration", self._snapshot.read)
        found = self._changed(start_s, entities, snapshot)
        self._add_budgets(found)
        self._add_resources(found, start_s)
        if snapshot is not None:
            self._add_own(found, snapshot, start_s + MINUTE_S)
        self._edges = self._from("calls", lambda: self._calls.read(self._clock.now())) or frozenset()
        return {entity: values for entity, values in found.items() if values}

    def marks(self, start_s: float, entities: Sequence[Entity]) -> Mapping[Entity, Mapping[str, float]]:
        """Of a minute that has been over for a while: its changes alone. What was left of anything, nobody knows."""
        return self._changed(start_s, entities, self._from("configuration", self._snapshot.read))

    def _changed(
        self, start_s: float, entities: Sequence[Entity], snapshot: Snapshot | None
    ) -> dict[Entity, dict[str, float]]:
        of_minute = self._from("changes", lambda: changes_of_minute(self._changes, start_s))
        found: dict[Entity, dict[str, float]] = {entity: {} for entity in entities}
        if of_minute is not None:
            _add_changes(found, of_minute, snapshot)
        return found

    def calls(self) -> frozenset[Edge]:
        """Who asks whom, as of the last `minute`: (org, environment, caller, callee)."""
        return self._edges

    def _add_own(self, found: Mapping[Entity, dict[str, float]], snapshot: Snapshot, now_s: float) -> None:
        """What this machine knows of its own gateway's APIs; those that others report run elsewhere."""
        disk_left = self._from("disk", self._disk.read)
        shares = self._from("quotas", lambda: self._quotas.read(snapshot)) or {}
        expiries = self._from("certificates", lambda: self._expiries(snapshot)) or _NO_EXPIRIES
        limits_ms = self._from("time limits", lambda: self._time_limits.read(snapshot)) or {}
        ours = own_apis(snapshot)
        for entity, values in found.items():
            if not ours(entity):
                continue
            if disk_left is not None:
                values["disk_left"] = disk_left
            if (share := shares.get((entity.route, entity.service))) is not None:
                values["quota_left"] = share
            if (limit_ms := limits_ms.get((entity.route, entity.service))) is not None:
                values["time_limit_ms"] = limit_ms
            ends = (expiries.own_s, expiries.services.get(entity.service))
            if known := [until_s for until_s in ends if until_s is not None]:
                values["cert_left_s"] = min(known) - now_s

    def _expiries(self, snapshot: Snapshot) -> Expiries:
        found = self._certificates.read(snapshot)
        if found.unreadable:
            self._say("certificate files", f"cannot be read: {', '.join(found.unreadable[:3])}")
        else:
            self._known_again("certificate files")
        return found

    def _add_budgets(self, found: Mapping[Entity, dict[str, float]]) -> None:
        oldest_s = self._clock.now() - BUDGET_AGE_MAX_S
        for state in self._from("objectives", self._objectives) or ():
            values = found.get(state.entity)
            if values is not None and state.budgets and state.time_s >= oldest_s:
                values["budget_left"] = min(budget.left for budget in state.budgets)

    def _add_resources(self, found: Mapping[Entity, dict[str, float]], start_s: float) -> None:
        """Whoever sends metrics of a service says it of all its routes."""
        left_out = self._resources.left_out
        left = self._from("resources", lambda: self._resources.left(start_s)) or {}
        for entity, values in found.items():
            if (said := left.get((entity.org, entity.environment, entity.service))) is not None:
                values |= said
        if left_out:
            self._say("some resources", "more series than are held: what came first is known")
        else:
            self._known_again("some resources")

    def _from(self, source: str, read: Callable[[], _T]) -> _T | None:
        """What a source says; None while it cannot."""
        try:
            said = read()
        except Exception as error:  # noqa: BLE001 - whatever a source does, judgement goes on without it
            self._say(source, str(error) or repr(error))
            return None
        self._known_again(source)
        return said

    def _say(self, source: str, error: str) -> None:
        if self._failing.get(source) != error:
            self._failing[source] = error
            self._log.warning("signal_unknown", source=source, error=error)

    def _known_again(self, source: str) -> None:
        if self._failing.pop(source, None) is not None:
            self._log.info("signal_known_again", source=source)

    def close(self) -> None:
        self._calls.close()
        self._changes.close()


def own_apis(snapshot: Snapshot) -> Callable[[Entity], bool]:
    """Whether an entity is one of this gateway's own."""
    services = {service.name for service in snapshot.services}
    routes = {route.name for route in snapshot.routes}
    whose = (snapshot.org, snapshot.environment)
    return lambda entity: (
        (entity.org, entity.environment) == whose and (entity.service in services or entity.route in routes)
    )


def _add_changes(
    found: Mapping[Entity, dict[str, float]], changes: Sequence[Change], snapshot: Snapshot | None
) -> None:
    """How many there were; deployments of anybody's services are said, changes of the configuration only of our own."""
    ours = own_apis(snapshot) if snapshot is not None else lambda entity: False
    deployments = [change for change in changes if change.kind in DEPLOYS]
    configured = [change for change in changes if change.kind in BY_CONFIGURATION]
    for entity, values in found.items():
        values["deploys"] = float(sum(change.concerns(entity) for change in deployments))
        if ours(entity):
            values["config_changes"] = float(len({one.time_s for one in configured if one.concerns(entity)}))


def open_signals(
    data: DataDir,
    clock: Clock,
    objectives: Callable[[], Sequence[ObjectiveState]],
    resources: Resources,
    log: structlog.typing.FilteringBoundLogger,
) -> Signals:
    """Of a data directory; `resources` is fed by somebody else. Raises OSError when changes cannot be opened."""
    return Signals(
        snapshot=CurrentSnapshot(data.snapshot),
        changes=EmbeddedChanges(data.changes),
        quotas=Quotas(LimitsReader(data.limits), clock),
        certificates=Certificates(),
        disk=DiskLeft(data.root, clock),
        calls=Calls(data.journeys),
        resources=resources,
        objectives=objectives,
        clock=clock,
        log=log,
    )
