"""What learns from other sources: the hazard, and beside it what one would try first, on the same moments."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.checks import hazard
from foregate.predict.evaluate.checks.features import FEATURES, NAMES
from foregate.predict.evaluate.checks.load import Floats
from foregate.predict.evaluate.checks.moments import Moments

Scoring = Callable[[NDArray[np.float32]], Floats]  # features (n, F) → probabilities (n,)
Learner = Callable[[Moments, int], Scoring]  # moments to learn from, seed

_NEGATIVES_EVERY: Final = 6  # healthy moments of neighbouring hours say the same; the kept ones weigh six times
_TREES: Final = 120
_PARAMETERS: Final[dict[str, Any]] = {
    "objective": "binary:logistic",
    "max_depth": 3,
    "eta": 0.08,
    "min_child_weight": 20,
    "subsample": 0.6,
    "colsample_bytree": 0.5,
    "lambda": 10.0,
    "tree_method": "hist",
    "nthread": 1,
    "monotone_constraints": "(" + ",".join(str(feature.monotone) for feature in FEATURES) + ")",
}
_LOGISTIC: Final = tuple(
    NAMES.index(name)
    for name in (
        *(name for name in NAMES if name.startswith("own_failures_")),
        *("own_rate", "hours_since_recovery", "hours_since_onset", "last_outage_hours", "down_share_week"),
        *("quick_relapses", "gap_progress", "same_hours_week", "same_hours_excess"),
    )
)
_SHRINKAGE: Final = 10.0
_STEPS_MAX: Final = 30
_Z_MAX: Final = 10.0


def self_exciting(moments: Moments, seed: int) -> Scoring:
    """The hazard; it draws nothing by chance."""
    weights = hazard.fit(moments)
    return lambda rows: hazard.probability(weights, rows, moments.horizon_s)


def logistic(moments: Moments, seed: int) -> Scoring:
    """L2-regularised logistic regression on the endpoint's own past, by Newton's method; it draws nothing by chance."""
    kept, weight = _thinned(moments)
    raw = _levels(moments.features[kept])
    mean, spread = raw.mean(axis=0), raw.std(axis=0) + 1e-9

    def design(levels: Floats) -> Floats:
        return np.append(np.clip((levels - mean) / spread, -_Z_MAX, _Z_MAX), np.ones((len(levels), 1)), axis=1)

    rows, labels = design(raw), moments.label[kept]
    ridge = np.append(np.full(len(_LOGISTIC), _SHRINKAGE), 0.0)
    beta = np.append(np.zeros(len(_LOGISTIC)), -4.0)
    for _ in range(_STEPS_MAX):
        p = 1.0 / (1.0 + np.exp(-rows @ beta))
        hessian = (rows * (weight * p * (1 - p))[:, None]).T @ rows + np.diag(ridge + 1e-9)
        step = np.linalg.solve(hessian, rows.T @ (weight * (labels - p)) - ridge * beta)
        beta = beta + np.clip(step, -1.0, 1.0)
        if float(np.abs(step).max()) < 1e-6:
            break
    return lambda features: 1.0 / (1.0 + np.exp(-design(_levels(features)) @ beta))


def _levels(features: NDArray[np.float32]) -> Floats:
    """Counts by their logarithm: the tenth failure says less than the first."""
    chosen = features[:, list(_LOGISTIC)].astype(np.float64)
    counts = [i for i, column in enumerate(_LOGISTIC) if NAMES[column].startswith("own_failures_")]
    chosen[:, counts] = np.log1p(chosen[:, counts])
    return chosen


def trees(moments: Moments, seed: int) -> Scoring:
    """XGBoost on all features: shallow, slow, regularised, monotone where more can only be worse."""
    from foregate.predict.models.library import xgboost

    kept, weight = _thinned(moments)
    learned = xgboost.DMatrix(moments.features[kept], moments.label[kept], weight=weight)
    booster = xgboost.train(_PARAMETERS | {"seed": seed}, learned, _TREES)
    return lambda features: np.asarray(booster.inplace_predict(features), dtype=np.float64)


def _thinned(moments: Moments) -> tuple[NDArray[np.intp], Floats]:
    """Every positive and every sixth negative moment, and what each weighs."""
    kept = np.flatnonzero((moments.label > 0) | (np.arange(len(moments.label)) % _NEGATIVES_EVERY == 0))
    return kept, np.where(moments.label[kept] > 0, 1.0, float(_NEGATIVES_EVERY))


LEARNERS: Final[dict[str, Learner]] = {
    "self-exciting hazard": self_exciting,
    "logistic regression": logistic,
    "XGBoost": trees,
}
