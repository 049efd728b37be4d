"""How well a model would have done on the series' own past, and the intervals that follow from it. Pure.

Rolling origin: from each of several moments of the past the model forecasts knowing only what came before: moments a
horizon apart where the past is long enough, else a day. Intervals are conformal: quantiles of those errors at the same
distance, with the finite-sample correction of split conformal prediction (Vovk et al. 2005), so they assume no
distribution; errors of neighbouring distances are taken together, for there are few origins. Errors of one origin hang
together, so that few origins understate how far the next one may be off: the ends are moved out as Student's t is wider
than the normal distribution for as many origins as share no step. Their coverage is measured
by leaving one origin out at a time, with all whose steps overlap with its own: what one of them knows the other would
give away.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from foregate.predict.forecast.models import Model
from foregate.predict.forecast.series import Floats
from foregate.wire.forecast import Backtest

ORIGINS_MAX: Final = 8
ORIGINS_APART_MIN: Final = 4  # with so many they are a whole horizon apart
QUANTILES: Final = (0.025, 0.1, 0.9, 0.975)  # low95, low80, high80, high95
# Quantiles of t over those of the normal distribution, of 90 % and 97.5 %, for 2, 3 … 8 degrees of freedom.
_WIDER80: Final = (1.472, 1.278, 1.196, 1.152, 1.124, 1.104, 1.090)
_WIDER95: Final = (2.195, 1.624, 1.416, 1.312, 1.248, 1.207, 1.177)
_NEIGHBOURS: Final = 16  # errors within a 16th of the horizon before and after are taken together …
_ERRORS_MIN: Final = 40  # … and so many at least, where there are: fewer have no quantile of 2.5 %


def origins(steps: int, horizon: int, season: int, per_day: int) -> list[int]:
    """How much of the past is known at each origin, the oldest first; the last one is a horizon before the end.

    Two seasons at least where that leaves three origins, for that is what some models need; else one.
    """
    last = steps - horizon
    least = 2 * season if last - 2 * season >= 2 * per_day else season
    apart = horizon if last - least >= (ORIGINS_APART_MIN - 1) * horizon else per_day
    return [at for at in (last - back * apart for back in reversed(range(ORIGINS_MAX))) if at >= least]


def errors_of(model: Model, pasts: Sequence[Floats], measured: Floats, at: list[int], horizon: int) -> Floats | None:
    """(origins, horizon): what came less what was forecast; NaN where nothing was measured. None: it cannot do it.

    `pasts`: what was known at each origin, without gaps: they are bridged by nothing that came later. `measured` has
    them.
    """
    if not at or at[0] < model.steps_min:
        return None
    found = np.empty((len(at), horizon))
    for row, (origin, past) in enumerate(zip(at, pasts, strict=True)):
        try:
            predicted = np.maximum(0.0, model.predict(past, horizon))
        except (ValueError, ArithmeticError):
            return None
        found[row] = measured[origin : origin + horizon] - predicted
    return found


def wider(at: Sequence[int], horizon: int) -> tuple[float, float]:
    """How much further out the ends of 80 and of 95 % are for as few origins as share no step."""
    alone = min(len(at), 1 + (max(at) - min(at)) // horizon)
    which = min(max(alone, 2), ORIGINS_MAX) - 2
    return _WIDER80[which], _WIDER95[which]


def offsets(errors: Floats, at: Sequence[int]) -> Floats:
    """(4, horizon): what the ends of the intervals are away from the forecast, in the order of `QUANTILES`.

    `errors`: (origins, horizon), from the origins `at`.

    The median belongs to its intervals: the low ends are never above it, nor the high ones below.
    """
    rows, horizon = errors.shape
    reach = max(horizon // _NEIGHBOURS, -(-_ERRORS_MIN // rows) // 2)
    found = np.zeros((4, horizon))
    for step in range(horizon):
        near = np.sort(errors[:, max(0, step - reach) : step + reach + 1], axis=None)
        near = near[~np.isnan(near)]
        if not len(near):
            near = np.sort(errors[~np.isnan(errors)])
        found[:, step] = _ends(near)
    found[:2] = np.minimum(found[:2], 0.0)
    found[2:] = np.maximum(found[2:], 0.0)
    by80, by95 = wider(at, horizon)
    found *= np.array([[by95], [by80], [by80], [by95]])
    return found


def _ends(ordered: Floats) -> list[float]:
    count = len(ordered)
    if not count:
        return [0.0] * 4
    ends = []
    for quantile in QUANTILES:
        # The k-th smallest of n errors bounds the next one with probability k / (n + 1).
        rank = np.ceil((count + 1) * quantile) if quantile > 0.5 else np.floor((count + 1) * quantile)
        ends.append(float(ordered[int(min(max(rank, 1), count)) - 1]))
    return ends


class Tried(NamedTuple):
    """A model with its errors at every origin."""

    model: Model
    errors: Floats
    at: list[int]
    said: Backtest


def tried(model: Model, errors: Floats, scale: float, at: list[int]) -> Tried:
    """`scale`: the mean absolute error of seasonal naive one season ahead over the whole past; 0: constant.

    `at`: the origins. Where all of them overlap coverage is not known, and pinball is that of intervals that have
    seen what they are judged by: good enough to compare models, which have all seen it.
    """
    mae = float(np.nanmean(np.abs(errors))) if not np.isnan(errors).all() else float("inf")
    horizon, places = errors.shape[1], np.asarray(at)
    others = [np.abs(places - place) >= horizon for place in places]
    honest = all(apart.any() for apart in others)
    ends = [offsets(errors[apart], places[apart].tolist()) if honest else offsets(errors, at) for apart in others]
    held80 = _held(errors, ends, 1, 2) if honest else None
    held95 = _held(errors, ends, 0, 3) if honest else None
    pinball = float(np.mean([_pinball(row, end) for row, end in zip(errors, ends, strict=True)]))
    said = Backtest(model.name, mae / scale if scale > 0 else None, mae, pinball, held80, held95)
    return Tried(model, errors, at, said)


def _held(errors: Floats, ends: list[Floats], low: int, high: int) -> float | None:
    inside = [(row >= end[low]) & (row <= end[high]) for row, end in zip(errors, ends, strict=True)]
    known = ~np.isnan(errors)
    return float(np.asarray(inside)[known].mean()) if known.any() else None


def _pinball(errors: Floats, ends: Floats) -> float:
    """Mean pinball loss over the median and the four ends of one origin; 0 where nothing was measured."""
    known = ~np.isnan(errors)
    if not known.any():
        return 0.0
    losses = [np.abs(errors[known]).mean() / 2.0]
    for quantile, end in zip(QUANTILES, ends, strict=True):
        beyond = (errors - end)[known]
        losses.append(np.maximum(quantile * beyond, (quantile - 1.0) * beyond).mean())
    return float(np.mean(losses))
