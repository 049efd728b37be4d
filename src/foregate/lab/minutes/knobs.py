"""Troubles, deploys and unexplained noise → what the mechanisms of one service feel, step by step."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from foregate.lab.faults import strengths
from foregate.lab.minutes.chance import Array, stream, wander
from foregate.lab.minutes.plan import STEP_S, ServicePlan, Trouble, WorldPlan
from foregate.lab.minutes.traffic import level, shares
from foregate.lab.model.provider import START_USED
from foregate.lab.model.service import QUOTA_HOURS_OF_TRAFFIC

BUSY_MIN = 0.01  # a service that does nothing counts as this busy, so that strengths stay finite
COLD_S = 45.0  # after a new start the cache spares nothing for about so long
DEPLOY_DOWN = 0.0  # a rolling deploy refuses nobody


@dataclass(slots=True)
class Knobs:
    """Arrays over steps; 1 or 0 where nothing ails. `raises` are the steps at which a quota is raised."""

    demand: Array
    impatient: Array
    slow_store: Array
    slow_work: Array
    errors: Array  # share of answers that are 500
    leak_mb: Array
    leak_chance: Array
    drain: Array  # units of the quota per second that somebody else takes
    down: Array  # share of the step in which nobody can connect
    instances: Array  # share of them that are up
    cold: Array  # 1: the cache is empty
    held: Array  # connections that a job holds
    raises: list[int]


def knobs(plan: WorldPlan) -> dict[str, Knobs]:
    """Of each service."""
    out = {service.name: _calm(service, plan.steps) for service in plan.services}
    for service in plan.services:
        for trouble in plan.troubles:
            if trouble.service == service.name:
                _EFFECTS[trouble.kind](_At(plan, service, trouble), out[service.name])
    _deploys(plan, out)
    _noise(plan, out)
    _share_stores(plan, out)
    return out


def _calm(service: ServicePlan, steps: int) -> Knobs:
    def filled(value: float) -> Array:
        return np.full(steps, value)

    return Knobs(
        demand=filled(1.0), impatient=filled(0.0), slow_store=filled(1.0), slow_work=filled(1.0),
        errors=filled(service.profile.noise), leak_mb=filled(0.0), leak_chance=filled(0.0), drain=filled(0.0),
        down=filled(0.0), instances=filled(1.0), cold=filled(0.0), held=filled(0.0), raises=[],
    )  # fmt: skip


class _At:
    """A trouble at its service: where and how old it is, and how busy the service would be when it begins."""

    def __init__(self, plan: WorldPlan, service: ServicePlan, trouble: Trouble) -> None:
        self.service = service
        self.profile = service.profile
        self.trouble = trouble
        self.where, self.share, self.age_s = shares(trouble.start_s, trouble.duration_s, plan.steps)
        usual = float(level(service.shape, plan.start_s, np.array([trouble.start_s]))[0])
        self.busy = max(BUSY_MIN, self.profile.utilisation(1.0) * usual)
        self.rps = max(1e-3, self.profile.rps(1.0) * usual)

    def grows(self, to: Array, value: Callable[[float], float]) -> None:
        """Multiply `to` by a factor that depends on the trouble's age."""
        factors = np.array([value(float(age)) for age in self.age_s])
        to[self.where] *= 1.0 + (factors - 1.0) * self.share

    def adds(self, to: Array, much: float) -> None:
        to[self.where] += much * self.share


def _memory_leak(at: _At, knobs: Knobs) -> None:
    at.adds(knobs.leak_mb, strengths.leaked_mb(at.profile, at.rps, at.trouble.reach_s))


def _pool_exhaustion(at: _At, knobs: Knobs) -> None:
    connections = at.profile.connections(1.0)
    at.adds(knobs.leak_chance, strengths.leak_chance(at.profile, connections, at.rps, at.trouble.reach_s))


def _load_ramp(at: _At, knobs: Knobs) -> None:
    most = strengths.ramp_most(at.profile, at.busy)
    at.grows(knobs.demand, lambda age_s: strengths.ramp(most, age_s, at.trouble.reach_s))


def _brownout(at: _At, knobs: Knobs) -> None:
    most = strengths.brownout_most(at.profile, at.busy)
    at.grows(knobs.slow_store, lambda age_s: strengths.brownout(most, age_s, at.trouble.reach_s))


def _retry_storm(at: _At, knobs: Knobs) -> None:
    most, reach_s = strengths.storm_most(at.profile, at.busy), at.trouble.reach_s
    at.grows(knobs.slow_store, lambda age_s: strengths.storm(most, age_s, reach_s)[1])
    knobs.impatient[at.where] += at.share * np.minimum(1.0, at.age_s / reach_s)


def _quota_exhaustion(at: _At, knobs: Knobs) -> None:
    """What is left when it begins is not known yet: as much as an hour's ordinary start leaves."""
    left = (1.0 - START_USED) * quota_of(at.service)
    at.adds(knobs.drain, strengths.drained_per_s(left, at.rps, at.trouble.reach_s))
    knobs.raises.append(at.where.stop)


def quota_of(service: ServicePlan) -> float:
    """Units per hour of the service's provider, as the live model sizes it."""
    return max(1.0, QUOTA_HOURS_OF_TRAFFIC * 3600.0 * service.profile.rps(1.0))


def _crash(at: _At, knobs: Knobs) -> None:
    instances = at.profile.instances
    if at.trouble.severity >= 0.5 or instances == 1:
        at.adds(knobs.down, 1.0)
    else:
        at.adds(knobs.instances, -1.0 / instances)
    _cold(knobs, at.where.stop)


def _certificate(at: _At, knobs: Knobs) -> None:
    at.adds(knobs.down, 1.0)


def _bad_deploy(at: _At, knobs: Knobs) -> None:
    errors, slow = strengths.bad_deploy(at.trouble.severity)
    at.adds(knobs.errors, errors)
    at.grows(knobs.slow_work, lambda _: slow)


def _batch_job(at: _At, knobs: Knobs) -> None:
    most = strengths.batch_most(at.profile, at.busy, at.trouble.severity)
    at.grows(knobs.slow_store, lambda age_s: strengths.batch(most, age_s))
    at.adds(knobs.held, 1.0)


def _flash_crowd(at: _At, knobs: Knobs) -> None:
    most = strengths.crowd_most(at.busy, at.trouble.severity)
    at.grows(knobs.demand, lambda age_s: strengths.crowd(most, age_s))


def _blip(at: _At, knobs: Knobs) -> None:
    slow = strengths.blip_slowness(at.profile, at.busy, at.trouble.severity)
    at.grows(knobs.slow_store, lambda _: slow)


def _slow_dependency(at: _At, knobs: Knobs) -> None:
    slow = strengths.stable_slowness(at.profile, at.busy, at.trouble.severity)
    at.grows(knobs.slow_store, lambda _: slow)


_EFFECTS: dict[str, Callable[[_At, Knobs], None]] = {
    "memory_leak": _memory_leak,
    "pool_exhaustion": _pool_exhaustion,
    "load_ramp": _load_ramp,
    "brownout": _brownout,
    "retry_storm": _retry_storm,
    "quota_exhaustion": _quota_exhaustion,
    "crash": _crash,
    "bad_deploy": _bad_deploy,
    "certificate": _certificate,
    "batch_job": _batch_job,
    "flash_crowd": _flash_crowd,
    "blip": _blip,
    "slow_dependency": _slow_dependency,
}


def _cold(knobs: Knobs, step: int) -> None:
    """The cache fills again."""
    ages = np.arange(round(4 * COLD_S / STEP_S)) * STEP_S
    room = knobs.cold[step : step + len(ages)]
    np.maximum(room, np.exp(-ages / COLD_S)[: len(room)], out=room)


def _deploys(plan: WorldPlan, out: dict[str, Knobs]) -> None:
    """Each new version sets the pace of its service until the next one, and begins cold."""
    for deploy in plan.deploys:
        step = int(deploy.at_s // STEP_S)
        out[deploy.service].slow_work[step:] *= deploy.pace
        out[deploy.service].slow_store[step:] *= deploy.pace
        _cold(out[deploy.service], step)


def _noise(plan: WorldPlan, out: dict[str, Knobs]) -> None:
    """Own work and databases are now faster, now slower: by the minute, by the hour, and in short slow spells."""
    rng = stream(plan.seed, "noise")
    quick = wander(rng, 2 * len(plan.services), plan.steps, 0.85)
    slow = np.repeat(wander(rng, 2 * len(plan.services), plan.minutes, 0.98), plan.steps // plan.minutes, axis=1)
    for place, service in enumerate(plan.services):
        noise, mine = service.noise, out[service.name]
        for row, to in ((2 * place, mine.slow_work), (2 * place + 1, mine.slow_store)):
            to *= np.exp(noise.minute * quick[row] + noise.hour * slow[row])
        for _ in range(rng.poisson(noise.hiccups_per_h * 24 * plan.days)):
            where, share, _ = shares(rng.random() * plan.steps * STEP_S, 10.0 + rng.exponential(40.0), plan.steps)
            mine.slow_store[where] *= 1.0 + (noise.hiccup_times - 1.0) * rng.random() * share


def _share_stores(plan: WorldPlan, out: dict[str, Knobs]) -> None:
    """A database server that several services use is as slow for each as for the one that feels it most."""
    for store in sorted({service.store for service in plan.services if service.store}):
        users = [out[service.name] for service in plan.services if service.store == store]
        slowest = np.maximum.reduce([one.slow_store for one in users])
        for one in users:
            one.slow_store = slowest
