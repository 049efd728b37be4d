"""When an error budget or a quota will be spent, by a forecast of what is spent. Pure."""

from typing import Final, NamedTuple

import numpy as np

from foregate.predict.forecast.backtest import Tried, wider
from foregate.predict.forecast.series import Floats
from foregate.wire.forecast import Broken

_LOW: Final = 0.1
_HIGH: Final = 0.9


class BudgetNow(NamedTuple):
    """What is left of the budget of `kind`, as a share of all of it; negative when overspent.

    `end_s`: when it is given anew, as a quota is; None for a rolling period.
    """

    kind: str
    left: float
    end_s: float | None = None


def when_broken(budget: BudgetNow, median: Floats, past: Tried, start_s: float, step_s: int) -> Broken:
    """`median`: the share of the budget spent per step, from `start_s` on; `past`: how the model has done.

    The interval is made of the errors of sums from each origin on, for what is spent adds up and its errors do, too:
    adding up the ends of single steps would claim that all of them are bad together. What leaves the rolling period
    meanwhile is not given back: the answer is rather too early than too late.
    """
    if budget.left <= 0.0:
        return Broken(budget.kind, start_s, start_s, start_s)
    spent = np.cumsum(median)
    away = np.cumsum(np.nan_to_num(past.errors), axis=1)
    low, high = np.quantile(away, (_LOW, _HIGH), axis=0) * wider(past.at, len(median))[0]
    fast = np.maximum.accumulate(spent + np.maximum(high, 0.0))
    slow = np.maximum.accumulate(np.maximum(spent + np.minimum(low, 0.0), 0.0))
    median_s, soonest_s, latest_s = (_crossed(path, budget.left, start_s, step_s) for path in (spent, fast, slow))
    return Broken(budget.kind, *(_before(budget.end_s, at_s) for at_s in (median_s, soonest_s, latest_s)))


def _before(end_s: float | None, at_s: float | None) -> float | None:
    return at_s if at_s is not None and (end_s is None or at_s <= end_s) else None


def _crossed(path: Floats, left: float, start_s: float, step_s: int) -> float | None:
    beyond = np.flatnonzero(path >= left)
    return start_s + (float(beyond[0]) + 1.0) * step_s if len(beyond) else None
