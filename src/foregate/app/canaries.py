"""Canaries in the analyzer: follow those that are configured, and roll back those that do worse."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from foregate.app.paths import DataDir
from foregate.app.verdicts import publish
from foregate.app.watch import Stamp, stamp
from foregate.kernel.clock import Clock
from foregate.ports.verdicts import VerdictStore
from foregate.predict.canary import CanaryWatch, Watched
from foregate.wire.canary import fingerprint
from foregate.wire.event import RequestEvent
from foregate.wire.risk import Risk
from foregate.wire.snapshot import canaries_in


class Canaries:
    """Give it all events with `add`, and call `step` about once a second; it may raise OSError, then call it again."""

    def __init__(
        self, data: DataDir, store: VerdictStore, clock: Clock, log: structlog.typing.FilteringBoundLogger
    ) -> None:
        self._data = data
        self._store = store
        self._clock = clock
        self._log = log
        self._watch = CanaryWatch()
        self._seen: Stamp | None = None
        self._version = -1
        self._out: frozenset[str] = frozenset()
        self._risks: dict[tuple[str, str], float] = {}

    def add(self, events: Iterable[RequestEvent]) -> None:
        self._watch.add(events)

    def learn(self, risks: Iterable[Risk]) -> None:
        """The youngest judgement."""
        self._risks = {(risk.entity.route, risk.entity.service): risk.score for risk in risks if risk.score is not None}

    def step(self) -> None:
        """Look what is configured and who is out, and judge the others."""
        self._follow()
        if not self._watch.watched:
            return
        now_s = self._clock.now()
        self._look(now_s)
        found = [each for each in self._watch.judge(now_s, self._risks) if each.route not in self._out]
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
        for route in self._out - out:
            self._watch.forget(route)
            self._log.info("canary_resumed", route=route)
        self._version, self._out = version, out
