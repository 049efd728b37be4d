"""Canaries in the analyzer: follow those that are configured, and roll back those that do worse."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog

from foregate.app.abuse_events import AbuseEvents
from foregate.app.paths import DataDir
from foregate.app.verdicts import publish
from foregate.app.watch import Stamp, stamp
from foregate.kernel.clock import Clock
from foregate.ports.bus import Bus
from foregate.ports.verdicts import VerdictStore
from foregate.predict.canary import CanaryWatch, Watched
from foregate.wire.canary import fingerprint
from foregate.wire.risk import Risk
from foregate.wire.snapshot import canaries_in

AUDIT_LINES = 200  # of what operators did last: a resumption that lies further back than these is forgotten


class Canaries:
    """Call `step` about once a second; it may raise OSError, then call it again. `risks`: the youngest judgement."""

    def __init__(
        self,
        bus: Bus,
        store: VerdictStore,
        data: DataDir,
        clock: Clock,
        log: structlog.typing.FilteringBoundLogger,
        risks: Callable[[], Iterable[Risk]] = tuple,
    ) -> None:
        self._bus = bus
        self._events: AbuseEvents | None = None  # read only while there are canaries
        self._data = data
        self._store = store
        self._clock = clock
        self._log = log
        self._watch = CanaryWatch()
        self._seen: Stamp | None = None
        self._version = -1
        self._out: frozenset[str] = frozenset()
        self._risks = risks

    def step(self) -> None:
        """Look what is configured and who is out, and judge the others."""
        self._follow()
        if not self._watch.watched:
            self._events = None
            return
        now_s = self._clock.now()
        self._look(now_s)
        if self._events is None:
            self._events = AbuseEvents(self._bus)
        self._watch.add(self._events.read())
        risks = {(each.entity.route, each.entity.service): each.score or 0.0 for each in self._risks()}
        found = [each for each in self._watch.judge(now_s, risks) if each.route not in self._out]
        if not found:
            return
        self._store.roll_back(found)
        publish(self._data, self._store, self._clock)
        for each in found:
            self._log.warning("canary_rolled_back", route=each.route, service=each.service, reason=each.reason)
        self._look(now_s)

    def _follow(self) -> None:
        seen = stamp(self._data.snapshot)
        if seen == self._seen:
            return
        try:
            found = canaries_in(self._data.snapshot.read_bytes())
        except FileNotFoundError:
            found = []
        self._watch.follow(Watched(route, service, canary) for route, service, canary in found)
        self._seen, self._version = seen, -1  # who is out depends on the settings, too

    def _look(self, now_s: float) -> None:
        """Who is out now. One that was resumed is judged by what it does from here on."""
        version = self._store.version()
        if version == self._version:
            return
        tried = {(each.route, fingerprint(each.canary)) for each in self._watch.watched}
        canaries = self._store.verdicts(now_s).canaries
        out = frozenset(each.route for each in canaries if (each.route, each.settings) in tried)
        for line in reversed(self._store.audit(AUDIT_LINES)):
            if line.action == "resume":
                self._watch.forget(line.subject, line.time_s)
        for route in self._out - out:
            self._log.info("canary_resumed", route=route)
        self._version, self._out = version, out
