"""Faults that make a dependency slow: growing until callers drown, or no further than they can bear."""

from foregate.lab.faults import strengths
from foregate.lab.model.world import World
from foregate.lab.scenario import Fault


class Brownout:
    """A dependency slows down until ordinary traffic occupies every seat in the fault's reach, and further."""

    def __init__(self, world: World, fault: Fault, fault_id: str) -> None:
        self._id = fault_id
        self._reach_s = fault.reach_s
        service = world.services[fault.service]
        self._slow = service.database.slow
        self._most = strengths.brownout_most(service.profile, service.profile.utilisation(world.rate))

    def step(self, age_s: float) -> None:
        self._slow.set(self._id, strengths.brownout(self._most, age_s, self._reach_s))

    def end(self) -> None:
        self._slow.clear(self._id)


class SlowDependency:
    """A dependency becomes slower in one step and stays so, within what the service can bear."""

    slowness = staticmethod(strengths.stable_slowness)

    def __init__(self, world: World, fault: Fault, fault_id: str) -> None:
        self._id = fault_id
        service = world.services[fault.service]
        self._slow = service.database.slow
        busy = service.profile.utilisation(world.rate)
        self._slowdown = self.slowness(service.profile, busy, fault.severity)

    def step(self, age_s: float) -> None:
        self._slow.set(self._id, self._slowdown)

    def end(self) -> None:
        self._slow.clear(self._id)


class Blip(SlowDependency):
    """A few slow seconds, more than a slow dependency but too short to fill the seats."""

    slowness = staticmethod(strengths.blip_slowness)


class BatchJob:
    """A job holds a connection and makes queries slower, in waves."""

    def __init__(self, world: World, fault: Fault, fault_id: str) -> None:
        self._id = fault_id
        service = world.services[fault.service]
        self._database = service.database
        busy = service.profile.utilisation(world.rate)
        self._most = strengths.batch_most(service.profile, busy, fault.severity)
        self._holds = self._database.pool.try_take()

    def step(self, age_s: float) -> None:
        self._database.slow.set(self._id, strengths.batch(self._most, age_s))

    def end(self) -> None:
        self._database.slow.clear(self._id)
        if self._holds:
            self._database.pool.give_back()
