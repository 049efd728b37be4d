"""The board of faults: a schedule that comes due, and what people switch on and off by hand."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from foregate.lab.faults.demand import FlashCrowd, LoadRamp, RetryStorm
from foregate.lab.faults.effect import Effect
from foregate.lab.faults.resources import MemoryLeak, PoolExhaustion, QuotaExhaustion
from foregate.lab.faults.slowness import BatchJob, Blip, Brownout, SlowDependency
from foregate.lab.faults.sudden import BadDeploy, Certificate, Crash
from foregate.lab.model.world import World
from foregate.lab.scenario import Fault

ACTIVE_MAX = 20  # more at once are refused

_EFFECTS: dict[str, Callable[[World, Fault, str], Effect]] = {
    "memory_leak": MemoryLeak,
    "pool_exhaustion": PoolExhaustion,
    "load_ramp": LoadRamp,
    "brownout": Brownout,
    "retry_storm": RetryStorm,
    "quota_exhaustion": QuotaExhaustion,
    "crash": Crash,
    "bad_deploy": BadDeploy,
    "certificate": Certificate,
    "batch_job": BatchJob,
    "flash_crowd": FlashCrowd,
    "blip": Blip,
    "slow_dependency": SlowDependency,
}


class TooMany(Exception):
    """ACTIVE_MAX faults are active already."""


@dataclass(frozen=True)
class Active:
    """A fault at work. `fault.start_s` is when it began, in seconds of the run; `by` is "script" or "person"."""

    id: str
    fault: Fault
    by: str
    effect: Effect


class Board:
    """Call `step` about once a second with the run's time; it starts what is due and ends what is over."""

    def __init__(self, world: World, schedule: tuple[Fault, ...] = ()) -> None:
        self._world = world
        self._due = sorted(schedule, key=lambda fault: fault.start_s)
        self._active: dict[str, Active] = {}
        self._started = 0

    @property
    def active(self) -> list[Active]:
        return list(self._active.values())

    @property
    def scheduled(self) -> list[Fault]:
        """What is still to come, soonest first."""
        return list(self._due)

    def step(self, now_s: float) -> None:
        """Start what is due, move on what is active, end what is over."""
        while self._due and self._due[0].start_s <= now_s:
            self._start(self._due.pop(0), "script")
        for active in list(self._active.values()):
            age_s = now_s - active.fault.start_s
            if age_s >= active.fault.duration_s:
                self.stop(active.id)
            else:
                active.effect.step(max(0.0, age_s))

    def start(self, fault: Fault, now_s: float) -> Active:
        """Switch a fault on now, whatever its `start_s` says. Raises TooMany."""
        if len(self._active) >= ACTIVE_MAX:
            raise TooMany(f"{ACTIVE_MAX} faults are active already")
        return self._start(replace(fault, start_s=now_s), "person")

    def _start(self, fault: Fault, by: str) -> Active:
        self._started += 1
        fault_id = f"flt_{self._started:04d}"
        active = Active(fault_id, fault, by, _EFFECTS[fault.kind](self._world, fault, fault_id))
        self._active[fault_id] = active
        active.effect.step(0.0)
        return active

    def stop(self, fault_id: str) -> bool:
        """End a fault; False when no such one is active."""
        active = self._active.pop(fault_id, None)
        if active is None:
            return False
        active.effect.end()
        return True
