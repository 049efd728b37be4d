"""What fills up or runs out over time: the heap, leaked connections, a provider's hourly quota."""

from dataclasses import dataclass
from itertools import pairwise
from math import exp

import numpy as np

from foregate.lab.minutes.chance import Array
from foregate.lab.minutes.knobs import Knobs, quota_of
from foregate.lab.minutes.plan import STEP_S, ServicePlan
from foregate.lab.model.heap import PAUSE_MIN_S, THRASHING, YOUNG_SHARE
from foregate.lab.model.instance import WATCHDOG_S
from foregate.lab.model.profile import Profile
from foregate.lab.model.provider import PACING_BELOW, START_USED, WINDOW_S
from foregate.lab.model.service import PACE_OF_HOLD

PAUSED_MAX = 0.95  # share of the time that a stopped world is counted at most; beyond it pauses queue without end


@dataclass(frozen=True, slots=True)
class Heap:
    """`full`: 1 where requests find no room. `down`: share of the step that a restart takes."""

    live_mb: Array
    full: Array
    down: Array


def heap(profile: Profile, knobs: Knobs, per_instance: Array) -> Heap:
    """What is alive while `per_instance` requests a second leave `leak_mb` each; a watchdog restarts what thrashes."""
    live = np.full(len(per_instance), profile.heap_base_mb)
    full, down = np.zeros(len(live)), np.zeros(len(live))
    room = profile.heap_limit_mb - profile.request_mb
    now, thrashed_s, restarting_s, leaking = profile.heap_base_mb, 0.0, 0.0, False
    for step in np.flatnonzero(knobs.leak_mb):
        if not leaking or knobs.leak_mb[step - 1] == 0.0:
            now, thrashed_s, restarting_s, leaking = profile.heap_base_mb, 0.0, 0.0, True
        gone_s = min(STEP_S, restarting_s)
        restarting_s -= gone_s
        now += float(knobs.leak_mb[step] * per_instance[step]) * (STEP_S - gone_s)
        full[step] = now >= room
        now = min(now, room)
        live[step], down[step] = now, gone_s / STEP_S
        thrashed_s = thrashed_s + STEP_S if now > THRASHING * profile.heap_limit_mb else 0.0
        if thrashed_s >= WATCHDOG_S:
            now, thrashed_s, restarting_s = profile.heap_base_mb, 0.0, profile.restart_s
    return Heap(live, full, down)


@dataclass(frozen=True, slots=True)
class Pauses:
    """Collections that stop the world. `busy`: share of the time; `per_request`: collections that each one causes."""

    busy: Array
    length_s: Array
    per_request: Array

    @property
    def met_s(self) -> Array:
        """Mean length of what someone who meets a pause still waits: later pauses queue behind it (M/D/1)."""
        out: Array = self.length_s / 2 / (1.0 - self.busy)
        return out

    @property
    def mean_s(self) -> Array:
        """Mean delay of a request: at its start, at its end, and where it causes a collection itself."""
        out: Array = 1.7 * self.busy * self.met_s + self.per_request * self.length_s
        return out


def pauses(profile: Profile, live_mb: Array, per_instance: Array) -> Pauses:
    """The less space is free, the sooner garbage fills it, just as each collection grows longer."""
    young = YOUNG_SHARE * np.maximum(profile.heap_limit_mb - live_mb, 0.0)
    per_request = np.minimum(1.0, profile.request_mb / np.maximum(young, profile.request_mb))
    length_s = PAUSE_MIN_S + live_mb * profile.pause_s_per_mb
    return Pauses(np.minimum(PAUSED_MAX, per_instance * per_request * length_s), length_s, per_request)


def leaked(profile: Profile, knobs: Knobs, queries: Array, hold_s: Array, luck: Array) -> Array:
    """Connections that are lost, given `queries` a second; all come back when the leak ends. `luck`: uniform."""
    out = np.zeros(len(queries))
    size, lost = profile.connections(1.0), 0
    for step in np.flatnonzero(knobs.leak_chance):
        if knobs.leak_chance[step - 1] == 0.0:
            lost = 0
        done = min(float(queries[step]), (size - lost) / float(hold_s[step]))
        mean = float(knobs.leak_chance[step]) * done * STEP_S
        lost = min(size, lost + _poisson(mean, float(luck[step]), size))
        out[step] = lost
    return out


def _poisson(mean: float, chance: float, most: int) -> int:
    """The Poisson number that uniform `chance` stands for, `most` at most."""
    count, term = 0, exp(-mean)
    reached = term
    while reached < chance and count < most:
        count += 1
        term *= mean / count
        reached += term
    return count


def quota_left(service: ServicePlan, knobs: Knobs, calls: Array, hour_step: int) -> Array:
    """Share of the provider's hourly quota that is left; a full hour begins at `hour_step`, and every hour after it."""
    quota = quota_of(service)
    hour = round(WINDOW_S / STEP_S)
    rolls = set(range(hour_step % hour, len(calls), hour))
    edges = sorted({0, len(calls), *rolls, *(step for step in knobs.raises if step < len(calls))})
    left = np.empty(len(calls))
    used = START_USED * quota
    for begin, end in pairwise(edges):
        if begin in rolls and begin:
            used = 0.0
        if begin in knobs.raises:
            used = min(used, START_USED * quota)
        taken = used + np.cumsum((calls[begin:end] + knobs.drain[begin:end]) * STEP_S)
        left[begin:end] = np.maximum(0.0, 1.0 - taken / quota)
        used = min(quota, float(taken[-1]))
    return left


def pace_s(profile: Profile, left: Array) -> Array:
    """The delay that a provider imposes as its quota runs low."""
    out: Array = PACE_OF_HOLD * profile.hold_s * np.clip(1.0 - left / PACING_BELOW, 0.0, 1.0)
    return out
