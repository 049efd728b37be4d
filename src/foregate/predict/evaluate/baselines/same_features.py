"""Logistic regression on foregate's own features: what remains of foregate's lead is what its trees are worth."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.baselines.learned import ROWS_MAX
from foregate.predict.evaluate.baselines.regression import Rows, fit_regression
from foregate.predict.evaluate.exam import Exam, Floats, exam_of
from foregate.predict.evaluate.system import Scorer, System
from foregate.predict.moments import Recorded

_ROUNDS: Final = 500
_TAIL: Final = 0.01  # beyond this quantile, and that from above, a value counts as the quantile: lines have no plateaus


def fit_same_features(
    systems: Sequence[System], horizon_s: int, rng: np.random.Generator, *, shuffled: bool = False
) -> Scorer:
    """All features, clipped to the examples' tails and standardised, and of each whether it is missing.

    It learns from about `ROWS_MAX` moments at most, failures as rare as they are. Needs scikit-learn. `shuffled`:
    learn from labels dealt out at random. Raises ValueError when no failure can be learned from.
    """
    rows, labels = _examples(systems, horizon_s, rng)
    if shuffled:
        rng.shuffle(labels)
    low, high = _tails(rows)

    def columns(rows: Rows) -> Rows:
        return np.concatenate([np.clip(rows, low, high), np.isnan(rows).astype(np.float32)], axis=1)

    predict = fit_regression(columns(rows), labels, rounds=_ROUNDS)

    def score(system: System) -> Floats:
        recorded = ~np.isnan(system.of("requests"))
        scores = np.full(recorded.shape, np.nan)
        for minutes, block in Recorded(system).blocks():
            known = recorded[:, minutes]
            if known.any():
                scores[:, minutes][known] = predict(columns(block[known]))
        return scores

    return score


def _examples(systems: Sequence[System], horizon_s: int, rng: np.random.Generator) -> tuple[Rows, Floats]:
    """Rows and labels of the moments that count in some minutes of each system.

    A minute is computed for all entities of a system, so minutes are drawn, not moments: every minute of 300 systems
    would take a quarter of an hour.
    """
    exam = exam_of(systems, horizon_s)
    taken = _drawn(exam, rng)
    picked = [np.broadcast_to(minutes, c.shape)[c] for c, minutes in zip(exam.chosen, taken, strict=True)]
    labels = exam.label[np.concatenate(picked)].astype(np.float64)
    if not 0 < labels.sum() < len(labels):
        raise ValueError("what is to be learned from holds no failure: bring recordings in which something failed")
    rows = [
        Recorded(system).rows(np.flatnonzero(minutes))[chosen[:, minutes]]
        for system, chosen, minutes in zip(systems, exam.chosen, taken, strict=True)
        if minutes.any()
    ]
    return np.concatenate(rows), labels


def _drawn(exam: Exam, rng: np.random.Generator) -> list[NDArray[np.bool_]]:
    """Which minutes of each system, (N,)."""
    share = ROWS_MAX / max(len(exam.label), 1)
    return [np.asarray(rng.random(chosen.shape[1]) < share) for chosen in exam.chosen]


def _tails(rows: Rows) -> tuple[Rows, Rows]:
    """The quantiles of what is known of each feature, (F,) each; NaN of one that is never known, which stays NaN."""
    known = [column[~np.isnan(column)] for column in rows.T]
    ends = [np.quantile(column, (_TAIL, 1 - _TAIL)) if len(column) else (np.nan, np.nan) for column in known]
    low, high = np.array(ends, dtype=np.float32).T
    return low, high
