"""The limit finds what a service bears: shown against a simulated service, event by event."""

import heapq
import random
from dataclasses import dataclass, field

import pytest
from tests.gateway.policies.asking import ask, end, means

from foregate.gateway.policies.adaptive_concurrency import AdaptiveConcurrencyPolicy, Gradient
from foregate.gateway.policies.policy import Place
from foregate.kernel.clock import ManualClock
from foregate.wire.policies import AdaptiveConcurrency

SETTINGS = AdaptiveConcurrency(start=20, min=4, max=1_000)


@dataclass
class Service:
    """`servers` requests are served at once, `service_s` each on average; the others queue inside it, first come first
    served. Open-loop arrivals, `rate` a second; what the limit does not let in is refused."""

    gradient: Gradient
    rng: random.Random
    servers: int
    service_s: float
    rate: float
    now_s: float = 0.0
    inside: int = 0
    refused: int = 0
    admitted: int = 0
    latencies: list[float] = field(default_factory=list)
    limits: list[float] = field(default_factory=list)
    _ends: list[tuple[float, float]] = field(default_factory=list)  # (when, latency)
    _free_at: list[float] = field(default_factory=list)

    def run(self, seconds: float) -> None:
        until_s = self.now_s + seconds
        arrival_s = self.now_s
        self.latencies, self.limits, self.refused, self.admitted = [], [], 0, 0
        while arrival_s < until_s:
            arrival_s += self.rng.expovariate(self.rate)
            while self._ends and self._ends[0][0] <= arrival_s:
                self._end(*heapq.heappop(self._ends))
            self.now_s = arrival_s
            if self.inside >= self.gradient.places:
                self.refused += 1
                continue
            self._begin()

    def _begin(self) -> None:
        self.inside += 1
        self.admitted += 1
        while len(self._free_at) < self.servers:
            heapq.heappush(self._free_at, 0.0)
        while len(self._free_at) > self.servers:
            heapq.heappop(self._free_at)
        begin_s = max(self.now_s, heapq.heappop(self._free_at))
        end_s = begin_s + self.service_s * self.rng.uniform(0.8, 1.2)
        heapq.heappush(self._free_at, end_s)
        heapq.heappush(self._ends, (end_s, end_s - self.now_s))

    def _end(self, now_s: float, latency_s: float) -> None:
        self.inside -= 1
        self.latencies.append(latency_s)
        self.gradient.sample(now_s, latency_s, self.inside + 1)
        self.limits.append(self.gradient.limit)


def service(servers: int, service_s: float, rate: float, seed: int = 1) -> Service:
    rng = random.Random(seed)
    return Service(Gradient(SETTINGS, rng), rng, servers, service_s, rate)


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("servers", "service_s"), [(10, 0.02), (50, 0.02), (100, 0.1), (8, 0.2)])
def test_overloaded_it_finds_what_the_service_bears(servers: int, service_s: float, seed: int) -> None:
    capacity = servers / service_s
    world = service(servers, service_s, rate=capacity * 2.0, seed=seed)
    world.run(30.0)
    world.run(30.0)
    assert servers * 0.9 <= mean(world.limits) <= servers * 3.0
    assert mean(world.latencies) < service_s * 3.0  # without a limit the queue would grow for ever
    assert world.admitted / 30.0 > capacity * 0.9  # and little capacity is wasted


def test_it_grows_where_there_is_room() -> None:
    world = service(servers=300, service_s=0.05, rate=4_000.0)
    world.run(20.0)
    world.run(10.0)
    assert world.gradient.limit > 200
    assert world.refused < 0.02 * (world.admitted + world.refused)


def test_it_shrinks_when_the_service_loses_capacity_and_recovers_with_it() -> None:
    world = service(servers=100, service_s=0.05, rate=1_600.0)
    world.run(30.0)
    healthy = world.gradient.limit
    world.servers = 20
    world.run(10.0)
    world.run(10.0)
    assert mean(world.limits) < 80
    assert mean(world.latencies) < 0.05 * 5
    world.servers = 100
    world.run(60.0)
    assert world.gradient.limit > 0.7 * min(healthy, 100)
    world.run(10.0)
    assert world.refused < 0.05 * world.admitted


def test_a_service_that_has_become_slower_for_good_is_not_throttled_for_ever() -> None:
    world = service(servers=200, service_s=0.02, rate=1_000.0)
    world.run(20.0)
    world.service_s = 0.1  # needs 100 at a time now, and has them
    world.run(180.0)
    world.run(20.0)
    assert world.refused < 0.05 * world.admitted


def test_an_idle_limit_stays_where_it_is() -> None:
    world = service(servers=100, service_s=0.02, rate=50.0)  # one at a time
    world.run(60.0)
    assert world.gradient.limit == SETTINGS.start


def test_timeouts_and_overload_shrink_it() -> None:
    gradient = Gradient(SETTINGS, random.Random(1))
    for step in range(400):
        gradient.dropped(step * 0.1)
    assert gradient.limit == SETTINGS.min


def test_it_stays_within_its_bounds_whatever_comes() -> None:
    rng = random.Random(5)
    gradient = Gradient(AdaptiveConcurrency(start=10, min=5, max=50), rng)
    for step in range(20_000):
        if rng.random() < 0.1:
            gradient.dropped(step * 0.01)
        else:
            gradient.sample(step * 0.01, rng.choice([0.0, 1e-6, 0.01, 10.0]), rng.randrange(60))
        assert 5 <= gradient.limit <= 50
        assert 5 <= gradient.places <= 50


def test_the_policy_lets_in_as_many_as_the_limit_and_learns_from_their_ends() -> None:
    clock = ManualClock()
    policy = AdaptiveConcurrencyPolicy(AdaptiveConcurrency(start=4, min=2, queue=0), means(clock=clock), Place())
    inside = [ask() for _ in range(4)]
    assert [policy.admit(request) for request in inside] == [None] * 4
    assert policy.admit(ask()) is not None
    for request in inside:
        end(request, upstream_ms=10.0)
    assert policy.gate.inside == 0
    for _ in range(300):
        request = ask()
        assert policy.admit(request) is None
        clock.advance(0.01)
        end(request, 504, "upstream_timeout")
    assert policy.gate.places == 2
