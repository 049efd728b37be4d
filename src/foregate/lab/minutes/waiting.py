"""Waiting for one of c seats when nobody waits longer than D: M/M/c + D in closed form, for arrays of moments.

With arrivals at rate λ, seats held for h seconds (μ = 1/h) and a wait of at most D, the virtual wait has the density
λ p(c-1) exp(-θx) up to D and decays with cμ beyond it, θ = cμ - λ (Baccelli and Hébuterne, "On queues with impatient
customers", 1981). It holds below, at and above capacity; far above, the share that is refused tends to 1 - cμ/λ.
Holding times that vary less than exponential ones wait less: θ is divided by (1 + cv²)/2 where it is positive
(Allen and Cunneen's approximation of M/G/c).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from foregate.lab.minutes.chance import Array, beyond

GRID = 512  # points of Erlang B that are interpolated
LOAD_MAX = 4.0  # erlangs per seat that are tabulated; beyond it 1 - c/a
EXPONENT_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Shares of those who come: `refused` waited D in vain. Of those who got a seat: `at_once`, and the mean wait."""

    at_once: Array
    rate: Array  # θ of the truncated exponential by which the others wait
    refused: Array
    mean_s: Array
    wait_s: float

    def by_steps(self, minutes: int, steps: int) -> "Waiting":
        """The same with arrays of shape (minutes, steps)."""
        shape = minutes, steps
        return Waiting(
            self.at_once.reshape(shape),
            self.rate.reshape(shape),
            self.refused.reshape(shape),
            self.mean_s.reshape(shape),
            self.wait_s,
        )

    def draw(self, chance: Array) -> Array:
        """Waits of those who got a seat, from uniform `chance` (broadcast against a trailing axis of ours)."""
        at_once, rate = self.at_once[..., None], self.rate[..., None]
        rest = np.clip((chance - at_once) / np.maximum(1.0 - at_once, 1e-9), 0.0, 1.0)
        y = rate * self.wait_s
        flat = np.abs(y) < 1e-3
        safe = np.where(flat, 1.0, rate)
        curved = -np.log1p(-rest * -np.expm1(-np.clip(y, -EXPONENT_MAX, EXPONENT_MAX))) / safe
        waits: Array = np.where(flat, rest * self.wait_s, curved)
        return np.clip(waits, 0.0, self.wait_s)


def waiting(arrivals: Array, hold_s: Array, seats: Array, wait_s: float, cv2: float) -> Waiting:
    """`arrivals` per second, `seats` (whole numbers, may change; none: everybody is refused after `wait_s`)."""
    open_ = np.maximum(seats, 1.0)
    hold_s = np.maximum(hold_s, 1e-6)
    capacity = open_ / hold_s
    blocked = _erlang_b_before_last(arrivals * hold_s, open_)
    theta = capacity - arrivals
    theta = np.where(theta > 0.0, theta * 2.0 / (1.0 + cv2), theta)
    y = np.clip(theta * wait_s, -EXPONENT_MAX, EXPONENT_MAX)
    decay = np.exp(-y)
    flat = np.abs(y) < 1e-3
    safe = np.where(flat, 1.0, theta)
    within = np.where(flat, wait_s, -np.expm1(-y) / safe)
    first = np.where(flat, wait_s**2 / 2, (1.0 - decay * (1.0 + y)) / safe**2)
    weight = arrivals * blocked
    free = 1.0 / (1.0 + weight * (within + decay / capacity))
    refused = np.clip(free * weight * decay / capacity, 0.0, 1.0)
    taken = np.maximum(1.0 - refused, 1e-9)
    none = seats < 1.0
    return Waiting(
        at_once=np.where(none, 1.0, np.clip(free / taken, 0.0, 1.0)),
        rate=theta,
        refused=np.where(none, 1.0, refused),
        mean_s=np.where(none, 0.0, free * weight * first / taken),
        wait_s=wait_s,
    )


def among_few(waits: Waiting, hold_s: Array, seats: Array, askers: int) -> Waiting:
    """The same where at most `askers` can ask at a time: with a seat for each of them nobody waits, and the queue of
    the others cannot be longer than what is missing.
    """
    missing = np.maximum(askers - seats, 0.0)
    turn_s = hold_s / np.maximum(seats, 1.0)
    last_s = np.maximum(missing, 0.5) * turn_s
    late = np.where(missing > 0.0, beyond(last_s, 1.0 / np.maximum(missing, 0.5), waits.wait_s), 0.0)
    refused = np.where(seats < 1.0, waits.refused, np.minimum(waits.refused, late))
    mean_s = np.minimum(waits.mean_s, missing * turn_s / 2)
    some = np.maximum(1.0 - waits.at_once, 1e-9)
    rate = np.where(mean_s < waits.mean_s, some / np.maximum(mean_s, 1e-9), waits.rate)
    at_once = np.where(missing > 0.0, waits.at_once, 1.0)
    return Waiting(at_once, rate, refused, mean_s, waits.wait_s)


def _erlang_b_before_last(load: Array, seats: Array) -> Array:
    """Erlang B of one seat less: p(c-1) relative to all states in which a seat is free."""
    out = np.empty_like(load)
    for count in np.unique(seats):
        where = seats == count
        own = load[where]
        out[where] = np.where(
            own < LOAD_MAX * count,
            np.interp(own, *_table(int(count) - 1)),
            1.0 - (count - 1) / np.maximum(own, 1e-9),
        )
    return out


@lru_cache(maxsize=1024)
def _table(seats: int) -> tuple[Array, Array]:
    """(loads, Erlang B): B(0) = 1, B(k) = a B(k-1) / (k + a B(k-1))."""
    loads = np.linspace(0.0, LOAD_MAX * (seats + 1), GRID)
    blocked = np.ones(GRID)
    for count in range(1, seats + 1):
        blocked = loads * blocked / (count + loads * blocked)
    return loads, blocked
