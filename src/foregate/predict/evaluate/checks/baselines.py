"""The scores that need no training: each reads one or two features of the moments, higher is riskier."""

from collections.abc import Callable
from typing import Final

import numpy as np

from foregate.predict.evaluate.checks.features import NAMES
from foregate.predict.evaluate.checks.load import Floats
from foregate.predict.evaluate.checks.moments import Moments

_AT_ONCE_H: Final = 1e-6


def _feature(moments: Moments, name: str) -> Floats:
    return moments.features[:, NAMES.index(name)].astype(np.float64)


def always_healthy(moments: Moments) -> Floats:
    """Nothing ever fails."""
    return np.zeros(len(moments.label))


def persistence(moments: Moments) -> Floats:
    """What failed lately fails again: 1 / hours since the last recovery.

    At a healthy moment "it is down now" is false for all, so persistence is how fresh the last outage is.
    """
    return 1.0 / (np.expm1(_feature(moments, "hours_since_recovery")) + _AT_ONCE_H)


def historical_rate(moments: Moments) -> Floats:
    """The endpoint's failures per day so far, drawn towards its source's rate by a week."""
    return _feature(moments, "own_rate")


def recent_failures(moments: Moments) -> Floats:
    """The failures of the endpoint, each counting less by e per day."""
    return _feature(moments, "own_failures_24h")


def robust_z(moments: Moments) -> Floats:
    """The last latency against the median of the 20 before it, in robust deviations."""
    return _feature(moments, "latency_z")


def ewma_z(moments: Moments) -> Floats:
    """The last latency against its exponentially weighted mean, in deviations."""
    return _feature(moments, "latency_ewma_z")


BASELINES: Final[dict[str, Callable[[Moments], Floats]]] = {
    "always healthy": always_healthy,
    "persistence": persistence,
    "historical rate": historical_rate,
    "failures of the last day, decayed": recent_failures,
    "latency robust z": robust_z,
    "latency EWMA + z": ewma_z,
}
