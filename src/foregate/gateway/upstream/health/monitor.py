"""Watches the targets of one service: asks them (active checks), and judges what the traffic has met (outliers)."""

import asyncio
import random
from math import inf
from typing import TYPE_CHECKING

from foregate.gateway.upstream.health.check import check
from foregate.gateway.upstream.health.outliers import outliers
from foregate.gateway.upstream.target import TargetState
from foregate.kernel.clock import Clock
from foregate.kernel.tasks import spawn
from foregate.wire.snapshot import ActiveCheck, OutlierDetection

if TYPE_CHECKING:
    from foregate.gateway.upstream.service import ServiceState

CHECKS_MAX = 32  # of one service at the same time; further ones wait for one to end
_FIRST_S = 1.0  # a target is asked for the first time within so long
_JITTER = 0.1  # of the interval, so that many workers do not ask in step


class Monitor:
    """One task per service that is watched. It reads the service's settings and targets anew at every step."""

    def __init__(self, service: "ServiceState", clock: Clock, rng: random.Random) -> None:
        self._service = service
        self._clock = clock
        self._rng = rng
        self._due_s: dict[TargetState, float] = {}
        self._checks: dict[TargetState, asyncio.Task[None]] = {}
        self._judge_s = inf
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch; does nothing when it does so already."""
        if self._task is None:
            self._task = spawn(self._run(), name=f"health of {self._service.name}")

    def settle(self) -> None:
        """The service has other settings or targets: verdicts that nobody will review any more are dropped."""
        health, targets = self._service.settings.health, self._service.targets
        for target in targets:
            if health.active is None:
                target.probation.reset()
            if health.outlier is None:
                target.ejection.reset()
            target.publish()
        kept = set(targets)
        self._due_s = {target: due_s for target, due_s in self._due_s.items() if target in kept}
        self._changed.set()

    def stop(self) -> None:
        """Watch no longer; checks under way are broken off."""
        for task in (self._task, *self._checks.values()):
            if task is not None:
                task.cancel()
        self._task = None

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            health = self._service.settings.health
            now_s = self._clock.monotonic()
            due_s = inf
            if health.active is not None:
                due_s = self._start_checks(health.active, now_s)
            if health.outlier is not None:
                due_s = min(due_s, self._judge(health.outlier, now_s))
            try:
                async with asyncio.timeout(None if due_s == inf else max(0.01, due_s - now_s)):
                    await self._changed.wait()
            except TimeoutError:
                pass

    # --- active ----------------------------------------------------------------------------------------------

    def _start_checks(self, settings: ActiveCheck, now_s: float) -> float:
        """Ask those whose turn it is. Returns when the next one's comes."""
        next_s = inf
        for target in self._service.targets:
            due_s = self._due_s.get(target)
            if due_s is None:
                due_s = self._due_s[target] = now_s + min(settings.interval_s, _FIRST_S) * self._rng.random()
            if due_s <= now_s and target not in self._checks:
                if len(self._checks) >= CHECKS_MAX:
                    continue  # the end of any of them wakes us
                due_s = now_s + settings.interval_s * (1.0 + _JITTER * (2.0 * self._rng.random() - 1.0))
                self._due_s[target] = due_s
                self._checks[target] = spawn(self._check(target, settings), name=f"check {target.url}")
            next_s = min(next_s, due_s if target not in self._checks else max(due_s, now_s + settings.timeout_s))
        return next_s

    async def _check(self, target: TargetState, settings: ActiveCheck) -> None:
        try:
            wrong = await check(target.pool, target.host_line, settings)
        finally:
            del self._checks[target]
            self._changed.set()
        service = self._service
        if service.settings.health.active is None or target not in service.targets or wrong == "overloaded":
            return  # nobody asks any more, or we could not ask: that says nothing about the target
        if target.probation.note(not wrong, settings):
            now_s = self._clock.monotonic()
            if target.probation.healthy:
                service.health_changed(target, "target_healthy", now_s)
            else:
                service.health_changed(target, "target_unhealthy", now_s, reason=wrong)

    # --- passive ---------------------------------------------------------------------------------------------

    def _judge(self, settings: OutlierDetection, now_s: float) -> float:
        """Take back whose time is over; at the end of an interval eject. Returns when to look again."""
        service = self._service
        targets = service.targets
        for target in targets:
            if target.ejection.returns(now_s):
                target.take_figures()
                service.health_changed(target, "target_returned", now_s)
        if self._judge_s == inf or self._judge_s > now_s + settings.interval_s:
            self._judge_s = now_s + settings.interval_s
        elif self._judge_s <= now_s:
            self._judge_s = now_s + settings.interval_s
            figures = [target.take_figures() for target in targets]
            found = {outlier.at: outlier.reason for outlier in outliers(figures, settings)}
            for index, target in enumerate(targets):
                if index in found:
                    seconds = target.ejection.eject(now_s, settings.eject_s)
                    service.health_changed(target, "target_ejected", now_s, seconds=seconds, reason=found[index])
                elif not target.ejection.active and figures[index].answers >= settings.requests_min:
                    target.ejection.did_well()
        return min([self._judge_s, *(target.ejection.until_s for target in targets if target.ejection.active)])
