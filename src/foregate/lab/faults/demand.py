"""Faults that come from those who ask: more of them, or less patient ones."""

from foregate.lab.faults.effect import slowdown_to
from foregate.lab.model.world import World
from foregate.lab.scenario import Fault

RAMP_PEAK_OF_CAPACITY = 1.25
CROWD_OF_CAPACITY = 0.52
CROWD_RISE_S = 25.0
STORM_BUSY = 0.54  # how busy the service would be without the repetitions: it would hold


class LoadRamp:
    """Traffic grows until it exceeds the seats in the fault's reach, and some more after it."""

    def __init__(self, world: World, fault: Fault, fault_id: str) -> None:
        self._id = fault_id
        self._demand = world.demand[fault.service]
        self._reach_s = fault.reach_s
        profile = world.services[fault.service].profile
        direct = profile.share / (profile.share + profile.extra_share)
        self._peak = 1.0 + (1.0 / profile.utilisation(world.rate) - 1.0) / direct

    def step(self, age_s: float) -> None:
        progress = min(RAMP_PEAK_OF_CAPACITY, age_s / self._reach_s)
        self._demand.set(self._id, 1.0 + (self._peak - 1.0) * progress)

    def end(self) -> None:
        self._demand.clear(self._id)


class FlashCrowd:
    """Traffic doubles quickly, at most to what the service was sized for."""

    def __init__(self, world: World, fault: Fault, fault_id: str) -> None:
        self._id = fault_id
        self._demand = world.demand[fault.service]
        busy = world.services[fault.service].profile.utilisation(world.rate)
        self._peak = max(1.0, min(1.6 + fault.severity, CROWD_OF_CAPACITY / busy))

    def step(self, age_s: float) -> None:
        self._demand.set(self._id, 1.0 + (self._peak - 1.0) * min(1.0, age_s / CROWD_RISE_S))

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
        self._slowdown = slowdown_to(service, world.rate, STORM_BUSY, most=6.0)

    def step(self, age_s: float) -> None:
        progress = age_s / self._reach_s
        self._impatient.set(self._id, min(1.0, progress))
        self._slow.set(self._id, 1.0 + (self._slowdown - 1.0) * min(1.0, progress) ** 1.3)

    def end(self) -> None:
        self._impatient.clear(self._id)
        self._slow.clear(self._id)
