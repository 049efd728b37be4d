"""How much is asked of each service, step by step: day and week, moods, bursts. Faults multiply it afterwards."""

from math import ceil

import numpy as np

from foregate.lab.minutes.chance import Array, stream, wander
from foregate.lab.minutes.plan import STEP_S, ServicePlan, Shape, WorldPlan
from foregate.lab.traffic.arrivals import BURST_FACTOR, BURST_S, DAY_S, MOOD_KEEPS

HOUR_S = 3600.0


def level(shape: Shape, start_s: float, at_s: Array) -> Array:
    """The ordinary traffic at `at_s` seconds after Unix time `start_s`, 1 at the busiest hour of a working day."""
    wall_s = start_s + at_s
    angle = 2 * np.pi * (wall_s / DAY_S - shape.peak_h / 24.0)
    daily = np.exp(shape.swing * (np.cos(angle) - 1.0) + shape.second * (np.cos(2 * angle) - 1.0) / 2)
    free = np.isin((wall_s // DAY_S).astype(np.int64) % 7, (2, 3))  # 1 January 1970 was a Thursday
    out: Array = daily * np.where(free, shape.weekend, 1.0)
    return out


def traffic(plan: WorldPlan) -> dict[str, Array]:
    """Of each service: its traffic relative to the busiest hour, shape (steps,). The same for all of its routes."""
    at_s = np.arange(STEP_S / 2, plan.steps * STEP_S, STEP_S)
    rng = stream(plan.seed, "traffic")
    moods = wander(rng, len(plan.services), plan.steps, MOOD_KEEPS**STEP_S)
    out = {}
    for service, mood in zip(plan.services, moods, strict=True):
        ordinary = level(service.shape, plan.start_s, at_s) * np.exp(service.shape.mood * mood)
        out[service.name] = ordinary * _cron(service, plan, at_s) * _bursts(rng, service, plan)
    return out


def _cron(service: ServicePlan, plan: WorldPlan, at_s: Array) -> Array:
    """Machines ask at full hours."""
    return np.where((plan.start_s + at_s) % HOUR_S < 60.0, 1.0 + service.shape.cron, 1.0)


def _bursts(rng: np.random.Generator, service: ServicePlan, plan: WorldPlan) -> Array:
    """Some seconds of more traffic, spread over the steps that they touch."""
    out = np.ones(plan.steps)
    for _ in range(rng.poisson(service.noise.bursts_per_h * 24 * plan.days)):
        start_s = rng.random() * plan.steps * STEP_S
        add(out, start_s, rng.uniform(*BURST_S), rng.uniform(*BURST_FACTOR) - 1.0)
    return out


def shares(start_s: float, duration_s: float, steps: int) -> tuple[slice, Array, Array]:
    """(the steps that it touches, the share of each that it covers, its age in seconds in the middle of that)."""
    end_s = start_s + duration_s
    first = min(steps, max(0, int(start_s // STEP_S)))
    last = min(steps, max(first, ceil(end_s / STEP_S)))
    edges = np.arange(first, last + 1) * STEP_S
    begins, ends = np.maximum(edges[:-1], start_s), np.minimum(edges[1:], end_s)
    return slice(first, last), (ends - begins) / STEP_S, (begins + ends) / 2 - start_s


def add(to: Array, start_s: float, duration_s: float, much: float) -> None:
    """Add `much` to an array of steps for a while, in part where a step is touched in part."""
    where, share, _ = shares(start_s, duration_s, len(to))
    to[where] += much * share
