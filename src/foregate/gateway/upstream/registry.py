"""All services of a worker, by name: what is known of them survives every change of their settings."""

import random
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from foregate.gateway.layout import service_block, target_block
from foregate.gateway.policies.gate import DOORS
from foregate.gateway.policies.policy import Log
from foregate.gateway.upstream.addresses import Resolver, system_resolver
from foregate.gateway.upstream.health import Monitor
from foregate.gateway.upstream.pool import Pool, PoolMeans, PoolSettings
from foregate.gateway.upstream.service import MakeDoor, ServiceState
from foregate.gateway.upstream.target import TargetState
from foregate.gateway.upstream.tls import Contexts, Wanted
from foregate.http1.deadlines import Deadlines
from foregate.kernel.clock import Clock
from foregate.ports.blocks import Cells
from foregate.wire.policies import NO_POLICIES, CircuitBreaker, Policies
from foregate.wire.snapshot import Service, Target

CellsOf = Callable[[str], Cells]
_INHERITED = ("circuit_breaker", "service_breaker", *DOORS)  # policies of all services, where one has none of its own
LEAVING_S = 60.0  # so long a removed target is remembered, should it come back; then it is forgotten once it is quiet
LEFT_MAX = 10_000  # of them, targets and services; beyond it the one that left first is forgotten at once


class Services:
    """`apply` with each snapshot, `start` once the loop runs, `tick` every second, `close` at the end."""

    def __init__(
        self,
        clock: Clock,
        deadlines: Deadlines,
        rng: random.Random,
        log: Log,
        resolve: Resolver = system_resolver,
        door: MakeDoor | None = None,
    ) -> None:
        """`door` makes the policies that keep a service within bounds; without it there are none."""
        self._clock = clock
        self._rng = rng
        self._log = log
        self._means = PoolMeans(clock, deadlines, log, resolve)
        self._contexts = Contexts()
        self._services: dict[str, ServiceState] = {}
        self._targets: dict[tuple[str, str], TargetState] = {}
        self._monitors: dict[str, Monitor] = {}
        self._left_services: dict[str, tuple[float, ServiceState]] = {}
        self._left_targets: dict[tuple[str, str], tuple[float, TargetState]] = {}
        self._door = door
        self._applied: dict[str, tuple[Any, ...]] = {}  # by name: all that a service was settled with
        self._started = False

    # --- configuration ---------------------------------------------------------------------------------------

    def apply(
        self, services: Sequence[Service], cells_of: CellsOf, general: Policies = NO_POLICIES
    ) -> Mapping[str, ServiceState]:
        """Serve these from now on. Returns their states by name.

        A service keeps its state by its name, a target by its service's name and its URL: circuit, health, latency,
        load, connections. What has not changed costs a comparison; what is no longer named ends what it has under way,
        then closes. `cells_of(name)` gives the metric cells of `layout.service_block` and `target_block`, the same for
        the same name as long as this lives; `general` are the policies of all services.

        Raises http1.tls.BadCertificate when a TLS file cannot be used; then nothing has changed.
        """
        contexts = self._contexts.renew(_wanted(service) for service in services if _speaks_tls(service))
        now_s = self._clock.monotonic()
        wanted = {service.name: service for service in services}
        for name in [name for name in self._services if name not in wanted]:
            self._leave(name, now_s)
        inherited = [getattr(general, kind) for kind in _INHERITED]
        for service in services:
            given = service, inherited, contexts.get(_wanted(service))
            if self._applied.get(service.name) != given:
                self._settle(service, cells_of, general, contexts, now_s)
                self._applied[service.name] = given
        return dict(self._services)

    def _settle(
        self,
        settings: Service,
        cells_of: CellsOf,
        general: Policies,
        contexts: Mapping[Wanted, ssl.SSLContext],
        now_s: float,
    ) -> None:
        """Make or change one service and its targets."""
        name = settings.name
        state = self._services.get(name)
        fresh = state is None
        if state is None:
            _, state = self._left_services.pop(name, (0.0, None))
            state = state or ServiceState(settings, cells_of(service_block(name)[0]), self._rng, self._log)
            self._services[name] = state
        state.cells = cells_of(service_block(name)[0])
        listed = {target.url: target for target in settings.targets}
        for before in state.targets:
            if before.url not in listed:
                self._let_go(name, before.url, now_s)
        breaker = settings.policies.circuit_breaker or general.circuit_breaker or CircuitBreaker()
        targets = []
        for target in listed.values():
            pooling = _pool_settings(settings, target, contexts)
            known = self._known(name, target.url)
            if known is None:
                pool = Pool(target, pooling, self._means)
                known = TargetState(target, breaker, pool, cells_of(target_block(name, target.url)[0]))
                self._targets[name, target.url] = known
                if not fresh:
                    known.warm_up(now_s, settings.balance.slow_start_s)
            known.cells = cells_of(target_block(name, target.url)[0])
            known.settle(target)
            known.circuit.adopt(breaker)
            known.pool.settle(pooling)
            targets.append(known)
        state.settle(settings, targets, general)
        if self._door is not None:
            state.guard(general, self._door)
        self._watch(state)

    def _known(self, service: str, url: str) -> TargetState | None:
        """The state of a target that there is, or was a moment ago."""
        known = self._targets.get((service, url))
        if known is None and (left := self._left_targets.pop((service, url), None)) is not None:
            known = self._targets[service, url] = left[1]
            known.pool.stay()
        return known

    # --- what is no longer named -----------------------------------------------------------------------------

    def _leave(self, name: str, now_s: float) -> None:
        state = self._services.pop(name)
        del self._applied[name]
        self._left_services[name] = (now_s, state)
        _bound(self._left_services)
        if (monitor := self._monitors.pop(name, None)) is not None:
            monitor.stop()
        for target in state.targets:
            self._let_go(name, target.url, now_s)

    def _let_go(self, service: str, url: str, now_s: float) -> None:
        target = self._targets.pop((service, url), None)
        if target is None:
            return  # it went with its service
        target.pool.retire()
        self._left_targets[service, url] = (now_s, target)
        _bound(self._left_targets)

    def _forget(self, now_s: float) -> None:
        """Those who left long ago, and have nothing under way."""
        for key, (left_s, target) in list(self._left_targets.items()):
            if now_s - left_s >= LEAVING_S and not target.inflight and not target.pool.connections:
                del self._left_targets[key]
        for name, (left_s, state) in list(self._left_services.items()):
            if now_s - left_s >= LEAVING_S and not state.inflight:
                del self._left_services[name]

    # --- life ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to watch the health of targets, now that there is a loop."""
        self._started = True
        for state in self._services.values():
            self._watch(state)

    def _watch(self, state: ServiceState) -> None:
        """A monitor for a service whose settings want one; none for others."""
        health = state.settings.health
        monitor = self._monitors.get(state.name)
        if health.active is None and health.outlier is None:
            if monitor is not None:
                monitor.settle()
                monitor.stop()
                del self._monitors[state.name]
                state.refresh()
            return
        if monitor is None:
            monitor = self._monitors[state.name] = Monitor(state, self._clock, self._rng)
        else:
            monitor.settle()
            state.refresh()
        if self._started:
            monitor.start()

    def tick(self) -> None:
        """What is to be done about once a second: old names, zones whose circuits have changed, those who left."""
        for target in self._targets.values():
            target.pool.tick()
        for state in self._services.values():
            if state.settings.balance.zone:
                state.refresh()
        if self._left_targets or self._left_services:
            self._forget(self._clock.monotonic())

    async def close(self) -> None:
        """Close all connections, those in use too, and stop watching."""
        self._started = False
        for monitor in self._monitors.values():
            monitor.stop()
        self._monitors.clear()
        for target in [*self._targets.values(), *(target for _, target in self._left_targets.values())]:
            await target.pool.close()


def _bound(left: dict[Any, Any]) -> None:
    if len(left) > LEFT_MAX:
        del left[next(iter(left))]


def _speaks_tls(service: Service) -> bool:
    return any(target.tls for target in service.targets)


def _wanted(service: Service) -> Wanted:
    return service.tls, service.protocol


def _pool_settings(service: Service, target: Target, contexts: Mapping[Wanted, ssl.SSLContext]) -> PoolSettings:
    return PoolSettings(
        service.connect_timeout_s,
        service.connections_max,
        service.health.dns_s,
        contexts[_wanted(service)] if target.tls else None,
        service.tls.server_name or target.host,
        service.protocol,
        service.streams_max,
    )
