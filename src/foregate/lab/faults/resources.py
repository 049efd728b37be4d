"""Faults that use something up: memory, connections, quota."""

from foregate.lab.faults.strengths import drained_per_s, leak_chance, leaked_mb
from foregate.lab.model.world import World
from foregate.lab.scenario import Fault


class MemoryLeak:
    """Each request leaves megabytes behind, so that ordinary traffic fills the heap in the fault's reach."""

    def __init__(self, world: World, fault: Fault, fault_id: str) -> None:
        self._id = fault_id
        service = world.services[fault.service]
        self._instances = service.instances
        profile = service.profile
        self._leak_mb = leaked_mb(profile, profile.rps(world.rate), fault.reach_s)

    def step(self, age_s: float) -> None:
        for instance in self._instances:
            instance.leak_mb.set(self._id, self._leak_mb)

    def end(self) -> None:
        for instance in self._instances:
            instance.leak_mb.clear(self._id)
            instance.heap.shrink(0.95)


class PoolExhaustion:
    """A share of requests forgets its connection, so that ordinary traffic has lost them all in the fault's reach."""

    def __init__(self, world: World, fault: Fault, fault_id: str) -> None:
        self._id = fault_id
        service = world.services[fault.service]
        self._database = service.database
        profile = service.profile
        self._chance = leak_chance(profile, self._database.pool.size, profile.rps(world.rate), fault.reach_s)

    def step(self, age_s: float) -> None:
        self._database.leak_chance.set(self._id, self._chance)

    def end(self) -> None:
        self._database.leak_chance.clear(self._id)
        self._database.pool.reclaim(self._database.pool.leaked)


class QuotaExhaustion:
    """A runaway job spends the provider's quota, so that nothing is left of it in the fault's reach."""

    def __init__(self, world: World, fault: Fault, fault_id: str) -> None:
        service = world.services[fault.service]
        self._provider = service.provider
        left = self._provider.left * self._provider.quota
        self._units_per_s = drained_per_s(left, service.profile.rps(world.rate), fault.reach_s)
        self._age_s = 0.0

    def step(self, age_s: float) -> None:
        self._provider.drain(self._units_per_s * (age_s - self._age_s))
        self._age_s = age_s

    def end(self) -> None:
        self._provider.raise_quota()
