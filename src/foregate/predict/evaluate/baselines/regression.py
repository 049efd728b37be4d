"""Logistic regression on rows with holes, as anybody would set it up. Needs scikit-learn."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.baselines.trailing import Floats

Rows = NDArray[np.float32]
Probability = Callable[[Rows], Floats]  # rows (n, F) → (n,)

_STRENGTH: Final = 0.1  # C: the inverse of how much weights are held back
_SCALE_MIN: Final = 1e-3  # what hardly varies is not blown up


def fit_regression(rows: Rows, labels: Floats, *, rounds: int) -> Probability:
    """`rows` (n, F), standardised, NaN counting as the mean; `labels` (n,) of 0 and 1, both of which must occur.

    `rounds`: steps of the solver at most.
    """
    from sklearn.linear_model import LogisticRegression

    known = ~np.isnan(rows)
    mean = np.nan_to_num(rows).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, rows, mean).astype(np.float64)
    scale = np.maximum(filled.std(axis=0), _SCALE_MIN)
    model = LogisticRegression(C=_STRENGTH, max_iter=rounds).fit((filled - mean) / scale, labels)
    weights, bias = model.coef_[0], float(model.intercept_[0])

    def predict(rows: Rows) -> Floats:
        margin = np.nan_to_num((rows - mean) / scale) @ weights + bias
        probability: Floats = 1 / (1 + np.exp(-np.clip(margin, -50, 50)))
        return probability

    return predict
