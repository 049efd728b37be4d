"""Fit the predictor: boosted trees on relative features, calibrated on runs that the trees have not seen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xgboost
from numpy.typing import NDArray

from foregate.predict.evaluate.dataset import Examples, selected
from foregate.predict.evaluate.protocol import average_precision, threshold_for
from foregate.predict.failures import HORIZON_S
from foregate.predict.features import FEATURE_NAMES, FEATURE_VERSION, FEATURES
from foregate.predict.history import Floats
from foregate.predict.models.calibration import fit_platt
from foregate.predict.models.model import Header, Model, decode_model, encode_model

FOLDS: Final = 5
ROUNDS_MAX: Final = 300
ROUNDS_STEP: Final = 20
BUDGET: Final = 0.5  # false alarms per API and day that `budget_threshold` is chosen for
# Slow and regularised by chance and by monotone constraints: what is learned must hold for systems nobody has seen.
PARAMETERS: Final[dict[str, Any]] = {
    "objective": "binary:logistic",
    "max_depth": 5,
    "eta": 0.04,
    "min_child_weight": 4,
    "subsample": 0.4,
    "colsample_bytree": 0.2,
    "lambda": 2.0,
    "max_bin": 512,  # fine, because what matters happens in the rarest percent of the values
    "tree_method": "hist",
    "nthread": 1,
    "monotone_constraints": "(" + ",".join(str(feature.monotone) for feature in FEATURES) + ")",
}


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model, the bytes of its file, its number of trees, and its honest scores on the natural runs it learned from.

    `held_out`: for each natural moment the calibrated probability by trees that had not seen the moment's run.
    """

    model: Model
    content: bytes
    rounds: int
    held_out: Floats


def fit(natural: Examples, dense: Examples, *, seed: int) -> Fitted:
    """Train on both, choose on the natural runs alone. The same input and seed give the same bytes.

    The natural runs are dealt into folds, whole runs at a time. Trees that have not seen a fold score it; from these
    scores come the number of trees, the calibration and the threshold. The final trees learn from everything.
    Raises ValueError when the runs hold no failure, or are fewer than the folds.
    """
    if natural.runs < FOLDS or not 0 < natural.base_rate < 1:
        raise ValueError("the runs hold no failure to learn from: record more runs")
    margins = held_out(natural, dense, lambda a, b, c: _staged_margins(a, b, c, seed), width=ROUNDS_MAX // ROUNDS_STEP)
    quality = [average_precision(natural.label, margins[:, stage]) for stage in range(margins.shape[1])]
    stage = int(np.argmax(quality))
    rounds = (stage + 1) * ROUNDS_STEP
    calibration = fit_platt(margins[:, stage], natural.label)
    probabilities = calibration.apply(margins[:, stage])
    threshold = threshold_for(natural, probabilities, BUDGET)
    header = Header(
        feature_version=FEATURE_VERSION,
        features=FEATURE_NAMES,
        calibration=calibration,
        horizon_s=HORIZON_S,
        budget_threshold=threshold if np.isfinite(threshold) else None,
    )
    content = encode_model(_boost([natural, dense], seed, rounds), header)
    return Fitted(decode_model(content), content, rounds, probabilities)


Scorer = Callable[[Examples, Examples, Examples], NDArray[np.float64]]  # (natural, dense, asked) → (n, width)


def held_out(natural: Examples, dense: Examples, scorer: Scorer, *, width: int = 1) -> NDArray[np.float64]:
    """Scores of every natural moment, shape (n, width), each by a scorer that has not seen the moment's run."""
    scores = np.zeros((len(natural.label), width))
    for fold in range(FOLDS):
        asked = natural.run % FOLDS == fold
        scores[asked] = scorer(selected(natural, ~asked), dense, selected(natural, asked))
    return scores


def thinned(parts: list[Examples]) -> tuple[NDArray[np.float32], Floats]:
    """Features and labels to learn from: moments 10 s apart hardly differ, so every third. Judging uses them all."""
    features = np.vstack([part.features[part.time_s % 30 == 0] for part in parts])
    return features, np.concatenate([part.label[part.time_s % 30 == 0] for part in parts])


def _boost(parts: list[Examples], seed: int, rounds: int) -> Any:
    return xgboost.train(PARAMETERS | {"seed": seed}, xgboost.DMatrix(*thinned(parts)), num_boost_round=rounds)


def _staged_margins(natural: Examples, dense: Examples, asked: Examples, seed: int) -> NDArray[np.float64]:
    """Margins after every `ROUNDS_STEP` trees, shape (n, stages)."""
    booster = _boost([natural, dense], seed, ROUNDS_MAX)
    matrix = xgboost.DMatrix(asked.features)
    stages = range(ROUNDS_STEP, ROUNDS_MAX + 1, ROUNDS_STEP)
    columns = [booster.predict(matrix, output_margin=True, iteration_range=(0, stage)) for stage in stages]
    return np.asarray(np.stack(columns, axis=1), dtype=np.float64)


def logistic(natural: Examples, dense: Examples, asked: Examples) -> NDArray[np.float64]:
    """The logistic regression baseline on the same features (standardised), shape (n, 1). Needs scikit-learn."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features, labels = thinned([natural, dense])
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    pipeline.fit(features.astype(np.float64), labels)
    return np.asarray(pipeline.predict_proba(asked.features.astype(np.float64))[:, 1:], dtype=np.float64)


def shuffled_labels_precision(natural: Examples, dense: Examples, asked: Examples, *, seed: int) -> tuple[float, float]:
    """(PR-AUC, base rate) on `asked` of trees that learned from labels dealt out at random.

    Without leakage both are about equal: nothing but the labels may carry what is learned. Hence no monotone
    constraints here: they are knowledge too, and lift even random labels above the base rate.
    """
    features, labels = thinned([natural, dense])
    np.random.default_rng(seed).shuffle(labels)
    free = {name: value for name, value in PARAMETERS.items() if name != "monotone_constraints"}
    booster = xgboost.train(free | {"seed": seed}, xgboost.DMatrix(features, labels), num_boost_round=60)
    scores = np.asarray(booster.predict(xgboost.DMatrix(asked.features)), dtype=np.float64)
    return average_precision(asked.label, scores), asked.base_rate
