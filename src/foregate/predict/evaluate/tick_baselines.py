"""The simple scores that every result stands beside. Their thresholds are chosen like the model's."""

from collections.abc import Callable
from typing import Final

import numpy as np

from foregate.predict.evaluate.dataset import RAW_COLUMNS, Examples
from foregate.predict.features import FEATURE_NAMES
from foregate.predict.history import Floats

_RAW: Final = {name: i for i, name in enumerate(RAW_COLUMNS)}
_FEATURE: Final = {name: i for i, name in enumerate(FEATURE_NAMES)}
_EWMA_ALPHA = 0.02  # per tick of 10 s: a memory of about eight minutes
_TREND_LIMIT = 10.0  # the extrapolation asks when p95 will be ten times its usual


def _raw(examples: Examples, name: str) -> Floats:
    return examples.raw[:, _RAW[name]].astype(np.float64)


def _feature(examples: Examples, name: str) -> Floats:
    return examples.features[:, _FEATURE[name]].astype(np.float64)


def always_healthy(examples: Examples) -> Floats:
    """Nothing ever fails."""
    return np.zeros(len(examples.label))


def persistence(examples: Examples) -> Floats:
    """The next minutes will be like the last: the present error rate."""
    return _raw(examples, "error_rate")


def static_threshold(examples: Examples) -> Floats:
    """One latency limit for all: the present p95 in ms."""
    return _raw(examples, "p95_ms")


def robust_z(examples: Examples) -> Floats:
    """The robust z of p95."""
    return _feature(examples, "p95_z")


def ewma_z(examples: Examples) -> Floats:
    """z of p95 against an exponentially weighted mean and deviation of the same series."""
    p95 = np.log(np.maximum(_raw(examples, "p95_ms"), 1.0))
    scores = np.zeros(len(p95))
    order = np.lexsort((examples.time_s, examples.series))
    series, mean, variance = -1, 0.0, 0.0
    for i in order:
        if examples.series[i] != series:
            series, mean, variance = int(examples.series[i]), float(p95[i]), 0.01
        error = float(p95[i]) - mean
        scores[i] = error / max(variance**0.5, 0.02)
        mean += _EWMA_ALPHA * error
        variance = (1 - _EWMA_ALPHA) * (variance + _EWMA_ALPHA * error * error)
    return scores


def trend(examples: Examples) -> Floats:
    """p95 drawn on in a straight line: minus the minutes until it is ten times its usual; −1,000 when it never is."""
    p95, usual, slope = (_raw(examples, name) for name in ("p95_ms", "usual_p95_ms", "p95_slope_ms_per_min"))
    room = np.maximum(_TREND_LIMIT * np.maximum(usual, 1.0) - p95, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        minutes = np.where(slope > 0, room / np.maximum(slope, 1e-9), np.inf)
    scores: Floats = -np.minimum(minutes, 1000.0)
    return scores


BASELINES: Final[dict[str, Callable[[Examples], Floats]]] = {
    "always healthy": always_healthy,
    "persistence": persistence,
    "static threshold (p95)": static_threshold,
    "robust z (p95)": robust_z,
    "EWMA + z (p95)": ewma_z,
    "p95 trend": trend,
}
