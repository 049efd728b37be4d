"""What needs no learning: an end whose time is known.

Trees see too few certificates expire to weigh them rightly, and a clock is better at it.
"""

from math import log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.features import FEATURE_NAMES

Floats = NDArray[np.float64]

CERTAIN: Final = log(0.95 / 0.05)  # log-odds: somebody may still renew it at the last minute
CERTIFICATE: Final = FEATURE_NAMES.index("certificate_left_min")  # the feature that the rules look at


def ruled(log_odds: Floats, rows: NDArray[np.floating], horizon_s: float) -> Floats:
    """Log-odds (n,) of a failure within `horizon_s`, at least `CERTAIN` where a certificate ends before. rows: (n, F).

    One that has ended already foretells nothing: who still answers does not need it.
    """
    left_s = rows[:, CERTIFICATE] * 60.0
    with np.errstate(invalid="ignore"):
        ends = (left_s > 0.0) & (left_s <= horizon_s)
    return np.where(ends, np.maximum(log_odds, CERTAIN), log_odds)
