"""Limits that shrink while the machine is loaded.

Load is how late the worker's loop is, as a share of what counts as overloaded. Up to `LOAD_CALM` a limit gives all it
has, from there down in a straight line to `FACTOR_MIN` of it at a load of 1. The rate itself must stay as it is (the
stores' sums hold for one rate only), so a request costs more instead: 1 / factor.
"""

import math

LATENESS_FULL_S = 0.25  # a loop that is so late, smoothed, is overloaded: load 1
LOAD_CALM = 0.1
FACTOR_MIN = 0.1
COST_STEPS = 64.0  # windows count in 64ths


class Load:
    """An exponentially weighted mean of samples that come at any distance; `half_life_s` is the weight's half-life."""

    __slots__ = ("_half_life_s", "_seen_s", "value")

    def __init__(self, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self._seen_s: float | None = None
        self.value = 0.0

    def seen(self, sample: float, now_s: float) -> float:
        """The mean after one more sample at `now_s` (monotonic); the first one is the mean."""
        if self._seen_s is None:
            self.value = sample
        else:
            keep = 0.5 ** (max(0.0, now_s - self._seen_s) / self._half_life_s)
            self.value = keep * self.value + (1.0 - keep) * sample
        self._seen_s = now_s
        return self.value


def factor(load: float, floor: float = FACTOR_MIN) -> float:
    """The share of a limit that is given at this load: 1 down to `floor`, never rising with load."""
    if not load > LOAD_CALM:  # not a number counts as calm
        return 1.0
    return max(floor, 1.0 - (1.0 - floor) * (load - LOAD_CALM) / (1.0 - LOAD_CALM))


def cost_factor(lateness_s: float) -> float:
    """What a request costs while the loop is `lateness_s` late: 1 / `factor`, in 64ths, rounded up."""
    share = factor(lateness_s / LATENESS_FULL_S)
    return 1.0 if share == 1.0 else math.ceil(COST_STEPS / share) / COST_STEPS
