"""What comes and how long it takes, made to agree: demand ↔ repetitions ↔ seats ↔ connections ↔ pauses ↔ callers.

Each step of 10 s is taken as settled: seats and connections fill and empty within seconds. What takes longer (memory,
leaked connections, quotas) is summed up over the steps. The agreement is found by rounds that go half-way, from calm;
where repetitions feed on slowness there are two, and the calm one is found as long as it exists.
"""

from dataclasses import dataclass
from math import exp

import numpy as np

from foregate.lab.minutes.chance import Array, beyond, stream
from foregate.lab.minutes.knobs import Knobs
from foregate.lab.minutes.plan import STEP_S, ServicePlan, WorldPlan
from foregate.lab.minutes.stocks import Pauses, heap, leaked, pace_s, pauses, quota_left
from foregate.lab.minutes.waiting import Waiting, among_few, waiting
from foregate.lab.model.database import CONTENTION as QUERY_CONTENTION
from foregate.lab.model.database import LOCKS
from foregate.lab.model.service import CONTENTION
from foregate.lab.services.orders import DEPENDENCY_TIMEOUT_S
from foregate.lab.traffic.patience import HEDGE_OF_HOLD, REPEATS_MAX

ROUNDS = 10
CLUMPS = 0.4  # failures for want of room come together: so much shorter a run of them opens a circuit
DOWN_TRIES_S = 10.0  # a process that is down is tried about so often while others serve


@dataclass(slots=True)
class Flow:
    """One service as it settled, arrays over steps. Shares of attempts unless they say otherwise."""

    offered: Array  # attempts per second, from the gateway and from inside
    hold_s: Array  # mean seconds that a seat is held
    demand: Array  # relative to the ordinary traffic of the busiest hour, without repetitions
    repeats: Array  # requests that impatient clients add, per request
    broken: Array  # share of requests that find the circuit open
    refused: Array  # nobody to connect to
    seat: Waiting
    busy: Array  # share of the seats that are taken
    live_mb: Array  # of each process
    full: Array  # no room in the heap
    pauses: Pauses
    errors: Array
    inner_s: Array
    inner_failed: Array
    store: Waiting  # shares of those who query
    connected: Array  # share of the connections that are taken, lost ones included
    misses: Array
    work_s: Array  # medians, slowness and contention included
    query_s: Array
    provider_s: Array
    paced_s: Array
    quota_left: Array
    quota_gone: Array  # share of those who ask the provider
    latency_s: Array  # mean of an attempt
    cv2: Array
    failed: Array  # answered 5xx or too late for the gateway
    retried: Array  # of these, what the gateway may try again


def settle(plan: WorldPlan, traffic: dict[str, Array], knobs: dict[str, Knobs]) -> dict[str, Flow]:
    """Of each service. `traffic` is relative to the busiest hour."""
    ordered = callees_first(plan.services)
    solvers = {service.name: _Solver(plan, service, traffic[service.name], knobs[service.name]) for service in ordered}
    flows = {name: solver.calm() for name, solver in solvers.items()}
    for _ in range(ROUNDS):
        inside = {service.name: np.zeros(plan.steps) for service in ordered}
        for service in reversed(ordered):
            flow = flows[service.name]
            solvers[service.name].ask(flow, inside[service.name])
            for callee, calls in service.calls:
                inside[callee] += calls * flow.offered * (1.0 - flow.refused) * (1.0 - flow.seat.refused)
        for service in ordered:
            solvers[service.name].answer(flows[service.name], [(flows[name], calls) for name, calls in service.calls])
    return flows


def callees_first(services: tuple[ServicePlan, ...]) -> list[ServicePlan]:
    """Every service after those that it calls. Raises ValueError for a circle."""
    out: list[ServicePlan] = []
    left = list(services)
    while left:
        done = {service.name for service in out}
        ready = [service for service in left if all(name in done for name, _ in service.calls)]
        if not ready:
            raise ValueError(f"services call in a circle: {', '.join(service.name for service in left)}")
        out += ready
        left = [service for service in left if service not in ready]
    return out


class _Solver:
    """One service's half-steps: what it is asked, and how it answers."""

    def __init__(self, plan: WorldPlan, service: ServicePlan, traffic: Array, knobs: Knobs) -> None:
        self.service = service
        self.profile = profile = service.profile
        self.knobs = knobs
        self.traffic = traffic * knobs.demand
        self.rps = sum(route.rps for route in service.routes)
        self.idempotent = self._mean([route.idempotent for route in service.routes])
        self.provided = self._mean([1.0 - route.light for route in service.routes])
        self.work = self._mean([route.work * (1.0 - route.light) for route in service.routes])
        self.query = self._mean([route.query * exp(route.query_sigma**2 / 2) for route in service.routes])
        self.luck = stream(plan.seed, "leaks", service.name).random(plan.steps)
        self.hour_step = round(-plan.start_s % 3600.0 / STEP_S)
        self.seats = profile.seats(1.0) * profile.instances
        self.spread2 = float(np.expm1(profile.sigma**2))
        self.up = (1.0 - knobs.down) * knobs.instances

    def _mean(self, values: list[float]) -> float:
        """Over the requests of all routes."""
        routes = self.service.routes
        return sum(route.rps * value for route, value in zip(routes, values, strict=True)) / self.rps

    def calm(self) -> Flow:
        """An ordinary state, from which the rounds begin."""
        profile, steps = self.profile, len(self.traffic)
        zero, none = np.zeros(steps), Waiting(np.ones(steps), np.ones(steps), np.zeros(steps), np.zeros(steps), 1.0)
        hold_s = np.full(steps, profile.hold_s)
        offered = self.rps * self.traffic
        return Flow(
            offered, hold_s, self.traffic, zero, zero, self.knobs.down, none, zero, zero, zero,
            Pauses(zero, zero, zero), self.knobs.errors, np.full(steps, profile.inner_s), zero, none, zero,
            np.full(steps, profile.misses), np.full(steps, profile.work_s), np.full(steps, profile.query_s),
            np.full(steps, profile.provider_s), zero,
            np.ones(steps), zero, hold_s, np.full(steps, self.spread2), self.knobs.errors, zero,
        )  # fmt: skip

    def ask(self, flow: Flow, inside: Array) -> None:
        """Requests, what clients and the gateway repeat, and calls from inside."""
        flow.broken = (flow.broken + self._broken(flow)) / 2
        flow.repeats = (flow.repeats + self._repeats(flow)) / 2
        requests = self.rps * self.traffic * (1.0 + flow.repeats)
        attempts = requests * (1.0 - flow.broken) * (1.0 + flow.retried * self.idempotent)
        flow.offered = (flow.offered + attempts + inside) / 2

    def _repeats(self, flow: Flow) -> Array:
        """Impatient clients ask again after a while without an answer, and at once after a failure."""
        if not self.knobs.impatient.any():
            return flow.repeats
        patience_s = HEDGE_OF_HOLD * self.profile.hold_s
        seen = np.clip(flow.failed + flow.broken, 0.0, 1.0)
        again = np.zeros(len(seen))
        for turn in range(1, REPEATS_MAX + 1):
            again += np.maximum(beyond(flow.latency_s, flow.cv2, patience_s * turn), seen**turn)
        return self.knobs.impatient * again

    def _broken(self, flow: Flow) -> Array:
        """Share of time that the circuit is open: so many failures in a row, then a pause, then trials one by one.

        A trial meets an idle service, so it fails only for what is not load.
        """
        settings = self.service.settings
        failed = np.clip(flow.failed, 1e-6, 1.0 - 1e-9)
        clumped = 1.0 - CLUMPS * np.clip((flow.retried - flow.refused - flow.full) / failed, 0.0, 1.0)
        run = np.maximum(failed ** (settings.failures * clumped), 1e-200)
        closed_s = (1.0 - run) / ((1.0 - failed) * run) / np.maximum(flow.offered / self.profile.instances, 1e-3)
        hard = np.clip(flow.refused + flow.full + flow.errors + self._quota_share(flow), 0.0, 1.0 - 1e-4)
        open_s = settings.open_s / (1.0 - hard)
        out: Array = open_s / (open_s + np.minimum(closed_s, 1e12))
        out[1:] = np.maximum(out[1:], out[:-1] * min(1.0, settings.open_s / STEP_S) / 2)  # still open from before
        tried = 1.0 / (1.0 + settings.open_s * self.rps * self.traffic)  # a trial after each pause
        return np.minimum(out, 1.0 - tried)

    def _quota_share(self, flow: Flow) -> Array:
        return flow.quota_gone * (self.provided if self.profile.provider else 0.0)

    def answer(self, flow: Flow, callees: list[tuple[Flow, float]]) -> None:
        """Seats, heap, inner calls, connections, provider; then how long it all takes and what fails."""
        profile, knobs = self.profile, self.knobs
        others = np.where((self.up > 0.0) & (self.up < 1.0) & (knobs.down == 0.0), 1.0, 0.0)
        tries = np.minimum(1.0, 1.0 / (DOWN_TRIES_S * np.maximum(flow.offered, 1e-3)))
        arriving = flow.offered
        per_instance = arriving * (1.0 - flow.seat.refused) / profile.instances
        memory = heap(profile, knobs, per_instance)
        flow.refused = np.clip(knobs.down + memory.down + others * tries, 0.0, 1.0)
        flow.full, flow.live_mb = memory.full, memory.live_mb
        seats = np.floor(self.seats * np.where(knobs.down > 0.0, 1.0, self.up) + 0.5)
        flow.seat = waiting(arriving * (1.0 - flow.refused), flow.hold_s, seats, profile.wait_s, self.spread2 + 0.3)
        accepted = arriving * (1.0 - flow.refused) * (1.0 - flow.seat.refused)
        flow.busy = np.minimum(1.0, accepted * flow.hold_s / np.maximum(seats, 1.0))
        flow.pauses = pauses(profile, memory.live_mb, accepted / profile.instances)
        mean = float(np.exp(profile.sigma**2 / 2))
        own = knobs.slow_work * (1.0 + CONTENTION * _crowd(accepted * flow.hold_s, seats, self.seats))
        flow.work_s = profile.work_s * own
        flow.provider_s = profile.provider_s * own
        flow.inner_s, flow.inner_failed = _inner(callees, len(arriving))
        flow.misses = profile.misses + (1.0 - profile.misses) * knobs.cold
        self._store(flow, accepted * (1.0 - flow.full) * (1.0 - flow.inner_failed))
        self._quota(flow, accepted)
        stored_s = flow.store.mean_s + flow.query_s * self.query * mean + self._provided_s(flow, mean)
        store_s = flow.store.refused * profile.wait_s + (1.0 - flow.store.refused) * stored_s
        outside_s = 0.0 if profile.provider_s else flow.paced_s
        hold_s = flow.pauses.mean_s + flow.work_s * self.work * mean + flow.inner_s + flow.misses * store_s + outside_s
        flow.hold_s = (flow.hold_s + hold_s) / 2
        flow.latency_s = flow.seat.mean_s + flow.hold_s
        flow.cv2 = self._cv2(flow, mean)
        self._failures(flow)

    def _provided_s(self, flow: Flow, mean: float) -> Array:
        """What the provider takes while a connection is held."""
        if not self.profile.provider_s:
            return np.zeros(len(flow.offered))
        out: Array = self.provided * (1.0 - flow.quota_gone) * (flow.provider_s * mean + flow.paced_s)
        return out

    def _store(self, flow: Flow, asking: Array) -> None:
        """Connections: what queries take, who waits for one, who waits in vain."""
        profile, knobs = self.profile, self.knobs
        size = profile.connections(1.0)
        queries = asking * flow.misses
        mean = float(np.exp(profile.sigma**2 / 2))
        hold_s = flow.query_s * self.query * mean + self._provided_s(flow, mean)
        lost = leaked(profile, knobs, queries, hold_s, self.luck)
        free = np.maximum(0.0, size - lost - knobs.held)
        flow.connected = (lost + knobs.held + np.minimum(free, queries * (1.0 - flow.store.refused) * hold_s)) / size
        working = _crowd(queries * (1.0 - flow.store.refused) * hold_s, free, size) + knobs.held / size
        crowd = 1.0 + QUERY_CONTENTION * working + LOCKS * lost / size
        flow.query_s = (flow.query_s + profile.query_s * knobs.slow_store * crowd) / 2
        many = waiting(queries, hold_s, np.floor(free), profile.wait_s, self.spread2)
        flow.store = among_few(many, hold_s, np.floor(free), self.seats)

    def _quota(self, flow: Flow, accepted: Array) -> None:
        profile = self.profile
        if not profile.provider:
            return
        flow.quota_left = quota_left(self.service, self.knobs, accepted * self.provided, self.hour_step)
        flow.paced_s = pace_s(profile, flow.quota_left)
        flow.quota_gone = (flow.quota_left <= 1e-9).astype(np.float64)

    def _cv2(self, flow: Flow, mean: float) -> Array:
        """Squared coefficient of variation of an attempt's latency: parts vary independently."""
        spread = self.spread2 * mean**2
        query_s = flow.query_s * self.query
        var = spread * (flow.work_s * self.work) ** 2 + 0.15 * flow.inner_s**2
        var = var + flow.misses * (spread * query_s**2 + (1.0 - flow.misses) * query_s**2)
        var = var + spread * (flow.provider_s * self.provided) ** 2
        for one in (flow.seat, flow.store):
            some = np.maximum(1e-6, 1.0 - one.at_once)
            var = var + np.minimum(one.mean_s**2 * (2.0 / some - 1.0), one.wait_s**2 / 4)
        var = var + flow.pauses.busy * (2 * flow.pauses.met_s) ** 2 / 3
        return np.clip(var / flow.latency_s**2, 0.01, 4.0)

    def _failures(self, flow: Flow) -> None:
        late = beyond(flow.latency_s, flow.cv2, self.service.settings.timeout_s)
        good = (1.0 - flow.refused) * (1.0 - flow.seat.refused) * (1.0 - flow.full) * (1.0 - flow.inner_failed)
        good = good * (1.0 - flow.misses * flow.store.refused) * (1.0 - self._quota_share(flow)) * (1.0 - late)
        flow.retried = 1.0 - good
        flow.failed = np.clip(1.0 - good * (1.0 - flow.errors), 0.0, 1.0)


def _crowd(load: Array, open_: Array, size: int) -> Array:
    """Share of `size` places that are taken in the eyes of one who has a place: his own, and those of the others."""
    return np.minimum(np.maximum(open_, 1.0), 1.0 + load) / size


def _inner(callees: list[tuple[Flow, float]], steps: int) -> tuple[Array, Array]:
    """(mean seconds of the calls to other services, share of requests for which one of them fails)."""
    seconds, good = np.zeros(steps), np.ones(steps)
    for flow, calls in callees:
        late = beyond(flow.latency_s, flow.cv2, DEPENDENCY_TIMEOUT_S)
        seconds = seconds + calls * np.minimum(flow.latency_s, DEPENDENCY_TIMEOUT_S)
        failed = np.clip(flow.failed + late, 0.0, 1.0)
        good = good * (1.0 - np.minimum(1.0, calls) * failed)
    return seconds, 1.0 - good
