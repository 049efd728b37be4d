"""What trees make of labels that mean nothing: whatever they then know of real failures has leaked.

Each draw tosses a coin per moment. Permuted labels are as rare as failures, and their few positives make trees cut off
sparse corners of the features, where failures lie too: without any leak they rank failures above chance. A coin has no
such corners: whether it falls one way or the other is alike, so without a leak the expected ROC-AUC is exactly 0.5.
"""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.scores import average_precision, roc_auc
from foregate.predict.models.library import xgboost

DRAWS: Final = 5
TREES: Final = 40

Floats = NDArray[np.float64]


class RandomLabels(msgspec.Struct, frozen=True):
    """On validation's true labels: `roc_auc` and `pr_auc`, means over the draws; `spread`, the ROC-AUC's standard
    deviation between draws; `true_roc_auc`, of the same trees with the true labels."""

    draws: int
    roc_auc: float
    spread: float
    true_roc_auc: float
    pr_auc: float
    base_rate: float


def random_labels(
    rows: NDArray[np.float32],
    labels: NDArray[np.float32],
    answers: Callable[[Any], Floats],
    truth: NDArray[np.bool_],
    *,
    parameters: dict[str, Any],
    seed: int,
) -> RandomLabels:
    """`rows` (n, F), `labels` (n,): what is learned from. `answers`: a booster's scores (m,) at the moments of `truth`.

    `parameters` must not hold monotone constraints: they are knowledge too.
    """
    matrix = xgboost.QuantileDMatrix(rows, max_bin=parameters["max_bin"])

    def judged(learned: NDArray[Any]) -> tuple[float, float]:
        matrix.set_label(learned)
        scores = answers(xgboost.train(parameters | {"seed": seed, "nthread": 1}, matrix, num_boost_round=TREES))
        return roc_auc(truth, scores), average_precision(truth, scores)

    tosses = [np.random.default_rng((seed, draw)).random(len(labels)) < 0.5 for draw in range(DRAWS)]
    ranked, precise = zip(*(judged(toss.astype(np.float32)) for toss in tosses), strict=True)
    return RandomLabels(
        draws=DRAWS,
        roc_auc=float(np.mean(ranked)),
        spread=float(np.std(ranked, ddof=1)),
        true_roc_auc=judged(labels)[0],
        pr_auc=float(np.mean(precise)),
        base_rate=float(truth.mean()),
    )
