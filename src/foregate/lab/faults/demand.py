"""Faults that come from those who ask: more of them, or less patient ones."""

from foregate.lab.faults import strengths
from foregate.lab.model.world import World
from foregate.lab.scenario import Fault


class LoadRamp:
    """Traffic grows until it exceeds the seats in the fault's reach, and some more after it."""

    def __init__(self, world: World, fault: Fault, fault_id: str) -> None:
        self._id = fault_id
        self._demand = world.demand[fault.service]
        self._reach_s = fault.reach_s
        profile = world.services[fault.service].profile
        self._most = strengths.ramp_most(profile, profile.utilisation(world.rate))

    def step(self, age_s: float) -> None:
        self._demand.set(self._id, strengths.ramp(self._most, age_s, self._reach_s))

    def end(self) -> None:
        self._demand.clear(self._id)


class FlashCrowd:
    """Traffic doubles quickly, at most to what the service was sized for."""

    def __init__(self, world: World, fault: Fault, fault_id: str) -> None:
        self._id = fault_id
        self._demand = world.demand[fault.service]
        busy = world.services[fault.service].profile.utilisation(world.rate)
        self._most = strengths.crowd_most(busy, fault.severity)

    def step(self, age_s: float) -> None:
        self._demand.set(self._id, strengths.crowd(self._most, age_s))

    def end(self) -> None:
        self._demand.clear(self._id)


class RetryStorm:
    """A client release that repeats at once spreads while a dependency slows down; alone, either would be harmless."""

    def __init__(self, world: World, fault: Fault, fault_id: str) -> None:
        self._id = fault_id
        self._impatient = world.impatient[fault.service]
        self._reach_s = fault.reach_s
        service = world.services[fault.service]
        self._slow = service.database.slow
        self._most = strengths.storm_most(service.profile, service.profile.utilisation(world.rate))

    def step(self, age_s: float) -> None:
        impatient, slow = strengths.storm(self._most, age_s, self._reach_s)
        self._impatient.set(self._id, impatient)
        self._slow.set(self._id, slow)

    def end(self) -> None:
        self._impatient.clear(self._id)
        self._slow.clear(self._id)
