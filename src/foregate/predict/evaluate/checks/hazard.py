"""The predictor of the next failure from past ones: a self-exciting hazard (Hawkes 1971) with weights ≥ 0.

λ(t) = μ + Σ_d w_d · (share of a failure per horizon, decayed over d): each past failure raises the expected number of
failures in the next horizon, the more the fresher it is; P(failure) = 1 − exp(−λ). Five numbers are all that is
learned, and every one can only raise the risk, so there is no room to learn a source by heart.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.checks.features import NAMES
from foregate.predict.evaluate.checks.load import Floats
from foregate.predict.evaluate.checks.moments import Moments
from foregate.predict.evaluate.checks.timeline import HOUR_S

MEMORIES_H: Final = (1, 24, 168, 720)  # hour, day, week, month
_COLUMNS: Final = tuple(NAMES.index(f"own_failures_{h}h") for h in MEMORIES_H)
_PRIOR_H: Final = 2.0  # horizons without a failure that stand before the first: a weight without evidence goes to 0
_ROUNDS_MAX: Final = 500
_CHANGE_MIN: Final = 1e-5


def fit(moments: Moments) -> Floats:
    """The weights (μ first) of greatest likelihood, shape (1 + len(MEMORIES_H),), by expectation-maximisation.

    The expected number of failures behind a positive moment is λ / (1 − e^−λ), dealt to the parts of λ by their
    shares; behind a negative one it is 0. So the rounds read the positives alone.
    """
    parts = _parts(moments.features, moments.horizon_s)
    positive, total = parts[moments.label > 0], parts.sum(axis=0)
    weights = np.full(parts.shape[1], 0.02)
    for _ in range(_ROUNDS_MAX):
        before = weights
        expected = 1.0 / -np.expm1(-np.maximum(positive @ weights, 1e-9))
        weights = weights * (expected @ positive) / (total + _PRIOR_H)
        if float(np.abs(weights - before).max()) < _CHANGE_MIN:
            break
    return weights


def probability(weights: Floats, features: NDArray[np.float32], horizon_s: float) -> Floats:
    """P(failure within the horizon), shape (n,)."""
    result: Floats = -np.expm1(-(_parts(features, horizon_s) @ weights))
    return result


def _parts(features: NDArray[np.float32], horizon_s: float) -> Floats:
    """What the weights multiply: 1, and the failures per horizon over each memory; shape (n, 1 + memories)."""
    per_horizon = horizon_s / HOUR_S / np.array(MEMORIES_H, dtype=np.float64)
    return np.concatenate([np.ones((len(features), 1)), features[:, list(_COLUMNS)] * per_horizon], axis=1)
