"""The price of warnings: which score is exceeded how often for nothing."""

from collections.abc import Sequence
from itertools import pairwise
from math import log
from typing import Final

FIXED_DEFAULT: Final = 0.8  # where a model says nothing about its false alarms
HORIZON_S: Final = 900  # of the failures that alerts are raised for

Curve = Sequence[tuple[float, float]]  # (false alarms per API and day, the score that raises so many), rates rising


def score_for(curve: Curve, per_day: float) -> float | None:
    """The score from which `per_day` false alarms are raised per API and day; None when no score keeps to it.

    Between two measured rates it is interpolated over the logarithm of the rate; beyond the last it stays.
    """
    if not curve or per_day < curve[0][0]:
        return None
    for (rate, score), (next_rate, next_score) in pairwise(curve):
        if per_day < next_rate:
            share = log(per_day / rate) / log(next_rate / rate)
            return score + share * (next_score - score)
    return curve[-1][1]
