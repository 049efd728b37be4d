"""Logistic regression and XGBoost on the simple windows: what must be beaten to be worth anything."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.baselines.regression import Probability, Rows, fit_regression
from foregate.predict.evaluate.baselines.simple_windows import RELATIVE, by_entities
from foregate.predict.evaluate.exam import Exam, Floats, exam_of
from foregate.predict.evaluate.system import Scorer, System
from foregate.predict.models.library import xgboost

ROWS_MAX: Final = 200_000  # moments to learn from; of more, so many are drawn
_STEPS: Final = 300  # of the solver of the regression
_ROUNDS: Final = 100
# As one would set it at first: nothing holds it back from learning its entities by heart.
_PARAMETERS: Final[dict[str, Any]] = {
    "objective": "binary:logistic",
    "max_depth": 6,
    "eta": 0.1,
    "tree_method": "hist",
    "nthread": 1,
}


def fit_logistic(
    systems: Sequence[System], horizon_s: int, rng: np.random.Generator, *, shuffled: bool = False
) -> Scorer:
    """Logistic regression on all simple windows, standardised; what is missing counts as average. Needs scikit-learn.

    `shuffled`: learn from labels dealt out at random, to prove that nothing leaks. Raises ValueError when no failure
    can be learned from.
    """
    rows, labels = _examples(systems, horizon_s, rng, shuffled=shuffled)
    return _scorer(fit_regression(rows, labels, rounds=_STEPS))


def fit_boosted(
    systems: Sequence[System], horizon_s: int, rng: np.random.Generator, *, shuffled: bool = False
) -> Scorer:
    """XGBoost on the simple windows without those relative to the entity's own past. Otherwise like `fit_logistic`."""
    chosen = ~np.array(RELATIVE)
    rows, labels = _examples(systems, horizon_s, rng, shuffled=shuffled)
    parameters = _PARAMETERS | {"seed": int(rng.integers(2**31))}
    booster = xgboost.train(parameters, xgboost.DMatrix(rows[:, chosen], labels), num_boost_round=_ROUNDS)

    def predict(rows: Rows) -> Floats:
        return np.asarray(booster.inplace_predict(np.ascontiguousarray(rows[:, chosen])), dtype=np.float64)

    return _scorer(predict)


def _scorer(predict: Probability) -> Scorer:
    def score(system: System) -> Floats:
        recorded = ~np.isnan(system.of("requests"))
        scores = np.full(recorded.shape, np.nan)
        for some, windows in by_entities(system):
            known = recorded[some]
            if known.any():
                scores[some][known] = predict(windows[known])
        return scores

    return score


def _examples(
    systems: Sequence[System], horizon_s: int, rng: np.random.Generator, *, shuffled: bool
) -> tuple[Rows, Floats]:
    """Rows and labels of the moments that count, at most `ROWS_MAX`, failures as rare as they are."""
    exam = exam_of(systems, horizon_s)
    if not 0 < exam.base_rate < 1:
        raise ValueError("what is to be learned from holds no failure: bring recordings in which something failed")
    taken = _drawn(exam, rng)
    labels = exam.label.astype(np.float64)
    rows = np.concatenate(
        [
            windows[(chosen & t)[some]]
            for s, chosen, t in zip(systems, exam.chosen, taken, strict=True)
            for some, windows in by_entities(s)
        ]
    )
    picked = np.concatenate([t[chosen] for chosen, t in zip(exam.chosen, taken, strict=True)])
    labels = labels[picked]
    if shuffled:
        rng.shuffle(labels)
    return rows, labels


def _drawn(exam: Exam, rng: np.random.Generator) -> list[NDArray[np.bool_]]:
    share = ROWS_MAX / max(len(exam.label), 1)
    return [rng.random(chosen.shape) < share for chosen in exam.chosen]
