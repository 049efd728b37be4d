"""Fit the predictor: boosted trees on relative features, calibrated on runs that the trees have not seen."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xgboost

from foregate.predict.evaluate.dataset import Examples
from foregate.predict.evaluate.protocol import average_precision, threshold_for
from foregate.predict.failures import HORIZON_S
from foregate.predict.features import FEATURE_NAMES, FEATURE_VERSION, FEATURES
from foregate.predict.history import Floats
from foregate.predict.models.calibration import fit_isotonic
from foregate.predict.models.model import Header, Model, decode_model, encode_model

ROUNDS_MAX: Final = 400
PATIENCE_ROUNDS: Final = 40
BUDGET: Final = 0.5  # false alarms per API and day that `budget_threshold` is chosen for
# Shallow, slow and strongly regularised: what is learned must hold for systems that nobody has seen.
PARAMETERS: Final[dict[str, Any]] = {
    "objective": "binary:logistic",
    "max_depth": 4,
    "eta": 0.05,
    "min_child_weight": 20,
    "subsample": 0.6,
    "colsample_bytree": 0.5,
    "lambda": 5.0,
    "gamma": 0.5,
    "max_bin": 128,
    "tree_method": "hist",
    "eval_metric": "aucpr",
    "monotone_constraints": "(" + ",".join(str(feature.monotone) for feature in FEATURES) + ")",
}


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model and the bytes of its file; `rounds` trees, chosen on the validation runs."""

    model: Model
    content: bytes
    rounds: int


def fit(train: Examples, validation: Examples, *, seed: int, threads: int = 1) -> Fitted:
    """Train on some runs, stop and calibrate on others. The same input and seed give the same bytes.

    Raises ValueError when either part holds no failure or nothing but failures.
    """
    for name, part in (("training", train), ("validation", validation)):
        if not 0 < part.base_rate < 1:
            raise ValueError(f"the {name} runs hold no failure to learn from: record more runs")
    booster, rounds = _boost(train, validation, seed, threads)
    margin = np.asarray(booster.predict(xgboost.DMatrix(validation.features), output_margin=True), dtype=np.float64)
    curve = fit_isotonic(margin, validation.label)
    threshold = threshold_for(validation, curve.apply(margin), BUDGET)
    header = Header(
        feature_version=FEATURE_VERSION,
        features=FEATURE_NAMES,
        margin=curve.margin,
        probability=curve.probability,
        horizon_s=HORIZON_S,
        budget_threshold=threshold if np.isfinite(threshold) else None,
    )
    content = encode_model(booster, header)
    return Fitted(decode_model(content), content, rounds)


def _boost(train: Examples, validation: Examples, seed: int, threads: int) -> tuple[Any, int]:
    """Boost until the validation runs' area under the precision-recall curve has not grown for a while."""
    parameters = PARAMETERS | {"seed": seed, "nthread": threads}
    # Moments 10 s apart hardly differ: every third is enough to learn from. Judging uses them all.
    chosen = np.flatnonzero(train.time_s % 30 == 0)
    fitted = xgboost.train(
        parameters,
        xgboost.DMatrix(train.features[chosen], train.label[chosen]),
        num_boost_round=ROUNDS_MAX,
        evals=[(xgboost.DMatrix(validation.features, validation.label), "validation")],
        early_stopping_rounds=PATIENCE_ROUNDS,
        verbose_eval=False,
    )
    rounds = int(fitted.best_iteration) + 1
    return fitted[:rounds], rounds


def logistic_scores(train: Examples, *others: Examples, seed: int) -> list[Floats]:
    """The logistic regression baseline on the same features (standardised), as scores for each of `others`.

    Needs scikit-learn (the extra "train").
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    chosen = np.flatnonzero(train.time_s % 30 == 0)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500, random_state=seed))
    pipeline.fit(train.features[chosen].astype(np.float64), train.label[chosen])
    return [np.asarray(pipeline.predict_proba(o.features.astype(np.float64))[:, 1]) for o in others]


def shuffled_labels_precision(train: Examples, validation: Examples, *, seed: int) -> tuple[float, float]:
    """(PR-AUC, base rate) on the validation runs of a model that learned from labels dealt out at random.

    Without leakage both are about equal: nothing but the labels may carry what is learned. Whole series exchange their
    labels' places in time, so the shuffle keeps the base rate.
    """
    rng = np.random.default_rng(seed)
    labels = train.label.copy()
    rng.shuffle(labels)
    booster = xgboost.train(
        PARAMETERS | {"seed": seed, "nthread": 1},
        xgboost.DMatrix(train.features, labels),
        num_boost_round=60,
    )
    scores = np.asarray(booster.predict(xgboost.DMatrix(validation.features)), dtype=np.float64)
    return average_precision(validation.label, scores), validation.base_rate
