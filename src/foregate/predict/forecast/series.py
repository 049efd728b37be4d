"""Series on a regular grid, and what is done about their gaps. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Series(NamedTuple):
    """`values[i]` is of the step that begins at `start_s + i * step_s`; NaN where nothing was measured."""

    start_s: float
    step_s: int
    values: Floats

    @property
    def end_s(self) -> float:
        return self.start_s + self.step_s * len(self.values)

    @property
    def per_day(self) -> int:
        return 86_400 // self.step_s


def regular(
    known: Mapping[float, float], step_s: int, from_s: float, until_s: float, *, zero: Iterable[float] = ()
) -> Series:
    """Values by their step's start on the grid of [from_s, until_s), without the empty steps before the first.

    `zero`: steps in which nothing is known to have happened, rather than nothing to be known: 0 where no value is.
    """
    steps = max(0, round((until_s - from_s) / step_s))
    values = np.full(steps, np.nan)
    for starts in (dict.fromkeys(zero, 0.0), known):
        for start_s, value in starts.items():
            at = round((start_s - from_s) / step_s)
            if 0 <= at < steps:
                values[at] = value
    measured = np.flatnonzero(~np.isnan(values))
    first = int(measured[0]) if len(measured) else steps
    # A zero before the first value is no value: the entity was not there yet.
    began = [round((start_s - from_s) / step_s) for start_s in known if from_s <= start_s < until_s]
    first = max(first, min(began, default=steps))
    return Series(from_s + first * step_s, step_s, values[first:])


def filled(values: Floats, season: int) -> Floats:
    """Without gaps: the mean of the nearest values at whole seasons before and after, else along a straight line."""
    whole = values.copy()
    gaps = np.flatnonzero(np.isnan(values))
    if not len(gaps):
        return whole
    for at in gaps:
        before, after = values[at % season : at : season], values[at + season :: season]
        around = [part[~np.isnan(part)] for part in (before[::-1], after)]
        near = [part[0] for part in around if len(part)]
        if near:
            whole[at] = np.mean(near)
    left = np.isnan(whole)
    if left.all():
        return whole
    places = np.arange(len(whole))
    whole[left] = np.interp(places[left], places[~left], whole[~left])
    return whole
