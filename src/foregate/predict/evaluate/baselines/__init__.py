"""The simple scores that stand beside every result: causal, blind to what comes, chosen by the same protocol.

`SIMPLE`: name → scorer, nothing to learn. `LEARNED`: name → how to fit one on systems; these say probabilities.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np

from foregate.predict.evaluate.baselines.burn_rate import burn_rate
from foregate.predict.evaluate.baselines.deviation import ewma_z, robust_z
from foregate.predict.evaluate.baselines.learned import fit_boosted, fit_logistic
from foregate.predict.evaluate.baselines.present import (
    always_healthy,
    historical_rate,
    persistence,
    static_threshold,
)
from foregate.predict.evaluate.baselines.same_features import fit_same_features
from foregate.predict.evaluate.baselines.trend import p95_trend
from foregate.predict.evaluate.system import Scorer, System

__all__ = ["LEARNED", "SIMPLE", "Fit"]


class Fit(Protocol):
    """Learn from systems; raises ValueError when they hold no failure."""

    def __call__(
        self, systems: Sequence[System], horizon_s: int, rng: np.random.Generator, *, shuffled: bool = False
    ) -> Scorer: ...


SIMPLE: Final[dict[str, Scorer]] = {
    "always healthy": always_healthy,
    "persistence": persistence,
    "historical rate": historical_rate,
    "static threshold (p95)": static_threshold,
    "EWMA + z (p95)": ewma_z,
    "robust z (p95)": robust_z,
    "p95 trend": p95_trend,
    "SLO burn rate (99.9 %)": burn_rate,
}
LEARNED: Final[dict[str, Fit]] = {
    "logistic regression": fit_logistic,
    "XGBoost, naive": fit_boosted,
    "logistic regression, our features": fit_same_features,
}
