"""How far p95 is from what is usual for the entity itself, in logarithms: twice as slow counts alike at any speed."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.baselines.trailing import Floats, trailing_mean
from foregate.predict.evaluate.system import System

_NOW_MIN: Final = 5
_EWMA_ALPHA: Final = 0.02  # a memory of about an hour
_DEVIATION_MIN: Final = 0.05  # of the log: 5 %, which is chance
_PAST_MIN: Final = 240
_LAG_MIN: Final = 15  # the latest minutes are no part of what is usual: a slow fault would become normal
_EVERY_MIN: Final = 5  # what is usual is looked at anew so often
_VALUES_MIN: Final = 20
_ROWS_AT_ONCE: Final = 64  # entities whose past is sorted together: bounds memory
_IQR_PER_SIGMA: Final = 1.349


def ewma_z(system: System) -> Floats:
    """z of p95 against an exponentially weighted mean and deviation of the same series (Roberts 1959)."""
    p95 = _log(system.of("p95_ms"))
    scores = np.full(p95.shape, np.nan)
    mean, variance = np.full(len(p95), np.nan), np.full(len(p95), 0.01)
    for j in range(p95.shape[1]):
        value = p95[:, j]
        known = ~np.isnan(value)
        mean = np.where(np.isnan(mean), value, mean)
        error = np.where(known, value - mean, 0.0)
        scores[known, j] = (error / np.maximum(np.sqrt(variance), _DEVIATION_MIN))[known]
        mean += _EWMA_ALPHA * error
        variance = np.where(known, (1 - _EWMA_ALPHA) * (variance + _EWMA_ALPHA * error * error), variance)
    return scores


def robust_z(system: System) -> Floats:
    """Mean p95 of five minutes: distance from the median of four hours in robust deviations (IQR / 1.349)."""
    p95 = _log(system.of("p95_ms"))
    now = trailing_mean(p95, _NOW_MIN)
    parts = [_usual(p95[i : i + _ROWS_AT_ONCE]) for i in range(0, len(p95), _ROWS_AT_ONCE)]
    if not parts:
        return now
    median, deviation = np.concatenate([m for m, _ in parts]), np.concatenate([d for _, d in parts])
    scores: Floats = (now - median) / np.maximum(deviation, _DEVIATION_MIN)
    return scores


def _log(values: NDArray[np.float32]) -> Floats:
    logs: Floats = np.log(np.maximum(values.astype(np.float64), 1.0))  # NaN stays NaN
    return logs


def _usual(values: Floats) -> tuple[Floats, Floats]:
    """(median, robust deviation) of four hours that ended a quarter of an hour ago; NaN with too few values."""
    padded = np.pad(values.astype(np.float32), ((0, 0), (_PAST_MIN + _LAG_MIN, 0)), constant_values=np.nan)
    # window i ends just before minute i - _LAG_MIN
    windows = np.lib.stride_tricks.sliding_window_view(padded, _PAST_MIN, axis=1)[:, : values.shape[1] : _EVERY_MIN]
    ordered = np.sort(windows, axis=2)  # NaN comes last
    known = np.count_nonzero(~np.isnan(ordered), axis=2)
    low, median, high = (
        np.take_along_axis(ordered, ((known - 1).clip(0) * share).astype(np.int64)[..., None], axis=2)[..., 0]
        for share in (0.25, 0.5, 0.75)
    )
    enough = known >= _VALUES_MIN
    held = np.minimum(np.arange(values.shape[1]) // _EVERY_MIN, max(windows.shape[1] - 1, 0))
    usual = np.where(enough, median, np.nan)[:, held].astype(np.float64)
    return usual, (np.where(enough, high - low, np.nan) / _IQR_PER_SIGMA)[:, held].astype(np.float64)
