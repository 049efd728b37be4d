"""Latency of the last answer against the endpoint's own past answers: no absolute value, no source's habits."""

from typing import Final

import numpy as np

from foregate.predict.evaluate.checks.load import Floats, History
from foregate.predict.evaluate.checks.timeline import Source

PAST: Final = 20  # answers that say what is usual
_PAST_MIN: Final = 5
_SPREAD_MIN: Final = 0.1  # of the logarithm: a tenth more or less is nothing
_ALPHA: Final = 0.1
_Z_MAX: Final = 20.0


def latency_features(source: Source) -> dict[str, Floats]:
    """`latency_ratio` (log), `latency_z` (robust), `latency_ewma_z`, shape (E, H); 0 while too little is known."""
    columns: dict[str, list[Floats]] = {"latency_ratio": [], "latency_z": [], "latency_ewma_z": []}
    for track in source.tracks:
        for name, (time_s, values) in _readings(track.history).items():
            index = np.searchsorted(time_s, source.time_s, side="right")
            columns[name].append(np.append(0.0, values)[index])
    return {name: np.stack(rows) for name, rows in columns.items()}


def _readings(history: History) -> dict[str, tuple[Floats, Floats]]:
    """Each measure at each answer: (times, values)."""
    answered = ~history.down & np.isfinite(history.latency_ms)
    time_s = history.time_s[answered]
    level = np.log(np.maximum(history.latency_ms[answered], 1.0))
    ratio, z = _robust(level)
    return {"latency_ratio": (time_s, ratio), "latency_z": (time_s, z), "latency_ewma_z": (time_s, _ewma_z(level))}


def _robust(level: Floats) -> tuple[Floats, Floats]:
    """Each value against the median of the `PAST` values before it, and that in robust deviations."""
    n = len(level)
    ratio, z = np.zeros(n), np.zeros(n)
    if n <= _PAST_MIN:
        return ratio, z
    padded = np.concatenate([np.full(PAST, np.nan), level])
    before = np.lib.stride_tricks.sliding_window_view(padded, PAST)[:n]
    usable = slice(_PAST_MIN, n)
    median = np.nanmedian(before[usable], axis=1)
    spread = 1.4826 * np.nanmedian(np.abs(before[usable] - median[:, None]), axis=1)
    ratio[usable] = level[usable] - median
    z[usable] = np.clip(ratio[usable] / np.maximum(spread, _SPREAD_MIN), -_Z_MAX, _Z_MAX)
    return ratio, z


def _ewma_z(level: Floats) -> Floats:
    """Each value against the exponentially weighted mean and deviation of those before it."""
    z = np.zeros(len(level))
    mean, variance = (float(level[0]) if len(level) else 0.0), 0.25
    for i, value in enumerate(level.tolist()):
        error = value - mean
        if i >= _PAST_MIN:
            z[i] = min(max(error / max(variance**0.5, _SPREAD_MIN), -_Z_MAX), _Z_MAX)
        mean += _ALPHA * error
        variance = (1 - _ALPHA) * (variance + _ALPHA * error * error)
    return z
