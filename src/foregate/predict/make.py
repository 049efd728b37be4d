"""From examples to a model file and its card: split by run, fit, choose on validation, judge once on test."""

import hashlib
import platform
from dataclasses import dataclass

import numpy as np
import sklearn
import xgboost

from foregate.predict.evaluate.dataset import TRAIN_SHARE, VALIDATION_SHARE, Examples, together
from foregate.predict.evaluate.report import report
from foregate.predict.failures import HORIZON_S
from foregate.predict.features import FEATURE_NAMES, FEATURE_VERSION
from foregate.predict.models.card import Card
from foregate.predict.train import Fitted, fit, logistic_scores, shuffled_labels_precision


@dataclass(frozen=True, slots=True)
class Made:
    """`content`: the bytes of the model file. `card` says how good it is."""

    content: bytes
    card: Card


def make(runs: list[Examples], *, first_run: int, seed: int, command: str) -> Made:
    """Train on the first 60 % of the runs, choose on the next 20 %, judge on the last 20 %. Deterministic.

    Raises ValueError when a part holds no failure.
    """
    at = round(len(runs) * TRAIN_SHARE), round(len(runs) * (TRAIN_SHARE + VALIDATION_SHARE))
    train, validation, test = together(runs[: at[0]]), together(runs[at[0] : at[1]]), together(runs[at[1] :])
    fitted = fit(train, validation, seed=seed)
    scores = (_scores(fitted, validation), _scores(fitted, test))
    logistic = tuple(logistic_scores(train, validation, test, seed=seed))
    shuffled = shuffled_labels_precision(train, validation, seed=seed)
    card = Card(
        model_version=fitted.model.version,
        sha256=hashlib.sha256(fitted.content).hexdigest(),
        bytes=len(fitted.content),
        feature_version=FEATURE_VERSION,
        features=FEATURE_NAMES,
        trees=fitted.rounds,
        horizon_s=HORIZON_S,
        seed=seed,
        train_runs=(first_run, first_run + at[0]),
        validation_runs=(first_run + at[0], first_run + at[1]),
        test_runs=(first_run + at[1], first_run + len(runs)),
        train_moments=len(train.label),
        train_base_rate=train.base_rate,
        train_failures=len(train.onsets),
        budget_threshold=fitted.model.header.budget_threshold,
        shuffled_pr_auc=shuffled[0],
        shuffled_base_rate=shuffled[1],
        command=command,
        versions=_versions(),
        report=report(validation, test, scores, {"logistic regression": (logistic[0], logistic[1])}),
    )
    return Made(fitted.content, card)


def _scores(fitted: Fitted, of: Examples) -> "np.typing.NDArray[np.float64]":
    return fitted.model.probabilities(of.features.astype(np.float64))


def _versions() -> dict[str, str]:
    return {
        "python": platform.python_version(),
        "xgboost": xgboost.__version__,
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
    }
