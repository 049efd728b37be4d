"""Faults that make a dependency slow: growing until callers drown, or no further than they can bear."""

from math import pi, sin

from foregate.lab.faults.effect import slowdown_to
from foregate.lab.model.world import World
from foregate.lab.scenario import Fault


class Brownout:
    """A dependency slows down until ordinary traffic occupies every seat in the fault's reach, and further."""

    def __init__(self, world: World, fault: Fault, fault_id: str) -> None:
        self._id = fault_id
        self._reach_s = fault.reach_s
        service = world.services[fault.service]
        self._slow = service.database.slow
        self._slowdown = slowdown_to(service, world.rate, 0.85, most=80.0)

    def step(self, age_s: float) -> None:
        progress = min(1.5, age_s / self._reach_s)
        self._slow.set(self._id, 1.0 + (self._slowdown - 1.0) * progress**1.5)

    def end(self) -> None:
        self._slow.clear(self._id)


class SlowDependency:
    """A dependency becomes slower in one step and stays so, within what the service can bear."""

    def __init__(self, world: World, fault: Fault, fault_id: str) -> None:
        self._id = fault_id
        service = world.services[fault.service]
        self._slow = service.database.slow
        self._slowdown = slowdown_to(service, world.rate, 0.55, most=1.4 + 1.2 * fault.severity)

    def step(self, age_s: float) -> None:
        self._slow.set(self._id, self._slowdown)

    def end(self) -> None:
        self._slow.clear(self._id)


class Blip(SlowDependency):
    """A few slow seconds, more than a slow dependency but too short to fill the seats."""

    def __init__(self, world: World, fault: Fault, fault_id: str) -> None:
        super().__init__(world, fault, fault_id)
        self._slowdown = slowdown_to(world.services[fault.service], world.rate, 0.6, most=2.0 + 2.0 * fault.severity)


class BatchJob:
    """A job holds a connection and makes queries slower, in waves."""

    def __init__(self, world: World, fault: Fault, fault_id: str) -> None:
        self._id = fault_id
        service = world.services[fault.service]
        self._database = service.database
        self._slowdown = slowdown_to(service, world.rate, 0.5, most=1.3 + 0.7 * fault.severity)
        self._holds = self._database.pool.try_take()

    def step(self, age_s: float) -> None:
        wave = 0.7 + 0.3 * sin(2 * pi * age_s / 90.0)
        self._database.slow.set(self._id, 1.0 + (self._slowdown - 1.0) * wave * min(1.0, age_s / 60.0))

    def end(self) -> None:
        self._database.slow.clear(self._id)
        if self._holds:
            self._database.pool.give_back()
