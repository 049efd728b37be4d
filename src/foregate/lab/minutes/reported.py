"""What processes say of themselves, as their metrics would: what is left of memory, connections and workers."""

import numpy as np

from foregate.lab.minutes.chance import Array, stream
from foregate.lab.minutes.plan import ServicePlan, WorldPlan
from foregate.lab.minutes.requests import by_minute
from foregate.lab.minutes.settle import Flow
from foregate.lab.model.heap import YOUNG_SHARE

SAMPLES = 6  # of a pool in a minute
RESTARTS = frozenset({"crash", "bad_deploy"})  # beside deploys


def reported(plan: WorldPlan, service: ServicePlan, flow: Flow) -> dict[str, Array]:
    """Shares, shape (minutes,). Of several processes the one that has least left is told."""
    rng = stream(plan.seed, "reported", service.name)
    profile = service.profile
    columns = {
        "memory_left": _memory(rng, plan, service, by_minute(flow.live_mb)[:, -1]),
        "workers_left": _pool(rng, by_minute(flow.busy), profile.seats(1.0), profile.instances),
    }
    if profile.database:
        columns["connections_left"] = _pool(rng, by_minute(flow.connected), profile.connections(1.0), 1)
    return columns


def _memory(rng: np.random.Generator, plan: WorldPlan, service: ServicePlan, live_mb: Array) -> Array:
    """What is neither alive, nor spare memory, nor garbage at the end of the minute."""
    profile, spare = service.profile, service.spare
    free = np.maximum(0.0, 1.0 - live_mb / profile.heap_limit_mb)
    garbage = YOUNG_SHARE * rng.random(len(free)) ** (1.0 / profile.instances)
    kept = spare.share * -np.expm1(-_age_s(rng, plan, service) / spare.fill_s)
    out: Array = free * (1.0 - kept) * (1.0 - garbage)
    return out


def _age_s(rng: np.random.Generator, plan: WorldPlan, service: ServicePlan) -> Array:
    """How long the processes have been running at the end of each minute."""
    ends_s = (np.arange(plan.minutes) + 1) * 60.0
    starts = [deploy.at_s for deploy in plan.deploys if deploy.service == service.name]
    for trouble in plan.troubles:
        if trouble.service == service.name and trouble.kind in RESTARTS:
            starts += [trouble.start_s, trouble.start_s + trouble.duration_s]
    since = np.full(plan.minutes, -rng.exponential(86_400.0))
    for start_s in sorted(starts):
        since[ends_s >= start_s] = start_s
    out: Array = ends_s - since
    return out


def _pool(rng: np.random.Generator, taken: Array, size: int, processes: int) -> Array:
    """Mean of what is free over some looks a minute. `taken`: share, shape (minutes, STEPS).

    The number taken is about Poisson around its mean, cut off where the pool ends: it varies less the fuller it is.
    """
    mean = np.clip(taken.mean(axis=1), 0.0, 1.0)
    deviation = np.sqrt(mean * (1.0 - mean) / size / SAMPLES)
    highest = rng.standard_normal((processes, len(mean))).max(axis=0)
    out: Array = np.clip(1.0 - mean - deviation * highest, 0.0, 1.0)
    return out
