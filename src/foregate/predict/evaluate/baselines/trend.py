"""p95 drawn on in a straight line."""

from typing import Final

import numpy as np

from foregate.predict.evaluate.baselines.trailing import Floats, late, slope, trailing_mean
from foregate.predict.evaluate.system import System

_LIMIT: Final = 10.0  # the question is when p95 will be ten times its usual
_SLOPE_MIN: Final = 15
_NEVER_MIN: Final = 1_000.0


def p95_trend(system: System) -> Floats:
    """Minus the minutes until p95, growing as in the last quarter of an hour, is ten times that of the hour before.

    −1,000 when it does not grow; NaN without an hour's past.
    """
    p95 = system.of("p95_ms")
    usual = np.maximum(late(trailing_mean(p95, 60), 15), 1.0)
    room = np.maximum(_LIMIT * usual - trailing_mean(p95, 3), 0.0)
    steep = slope(p95, _SLOPE_MIN)
    minutes = np.divide(room, steep, out=np.full(room.shape, np.inf), where=steep > 1e-9)
    known = ~(np.isnan(room) | np.isnan(steep))
    return np.where(known, -np.minimum(minutes, _NEVER_MIN), np.nan)
