"""Fit the predictor: boosted trees on relative features, one per horizon, chosen and calibrated on systems that the
trees have not seen."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xgboost
from numpy.typing import NDArray

from foregate.predict.evaluate.exam import Exam, exam_of
from foregate.predict.evaluate.paging import sweep
from foregate.predict.evaluate.scores import average_precision
from foregate.predict.evaluate.system import System
from foregate.predict.examples import Examples, examples
from foregate.predict.failures import HORIZON_S
from foregate.predict.features import FEATURE_NAMES, FEATURE_VERSION, FEATURES
from foregate.predict.models.calibration import fit_platt, sigmoid
from foregate.predict.models.model import HORIZONS_S, Header, Horizon, Model, decode_model, encode_model
from foregate.predict.models.rules import ruled
from foregate.predict.moments import Recorded

ROUNDS_MAX: Final = 400
PATIENCE: Final = 40  # trees without a better ranking of unseen systems
CHOOSING_SHARE: Final = 0.2  # of the calm validation moments that the ranking is looked at on
CURVE_POINTS: Final = 40
SHUFFLED_TREES: Final = 40
# Slow and regularised by chance and by monotone constraints: what is learned must hold for systems nobody has seen.
PARAMETERS: Final[dict[str, Any]] = {
    "objective": "binary:logistic",
    "max_depth": 5,
    "eta": 0.05,
    "min_child_weight": 8,
    "subsample": 0.5,
    "colsample_bytree": 0.3,
    "lambda": 2.0,
    "max_bin": 256,
    "tree_method": "hist",
    "monotone_constraints": "(" + ",".join(str(feature.monotone) for feature in FEATURES) + ")",
}
Step = Callable[[int, int], None]  # (done, of how many)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model and the bytes of its file.

    `moments`, `failing`: how many moments it learned from, and the share with a failure within the alerting horizon.
    `shuffled`: PR-AUC on validation of trees that learned labels dealt out at random, and the base rate.
    """

    model: Model
    content: bytes
    moments: int
    failing: float
    shuffled: tuple[float, float]


def fit(
    train: Iterable[System], validation: Sequence[System], *, seed: int, threads: int = 1, step: Step | None = None
) -> Fitted:
    """Learn on some systems; number of trees, calibration and thresholds come from others. Same input, same bytes.

    Raises ValueError when either holds no failure.
    """
    told = step or (lambda done, total: None)
    total = 2 + len(HORIZONS_S)
    learned = examples(train, HORIZONS_S, seed=seed)
    told(1, total)
    rows = [_every_minute(system) for system in validation]
    told(2, total)
    horizons, boosters, shuffled = [], [], (0.0, 0.0)
    for number, horizon_s in enumerate(HORIZONS_S):
        exam = exam_of(validation, horizon_s)
        if not learned.labels[:, number].any() or not exam.label.any():
            raise ValueError("the recordings hold no failure to learn from, or none to choose by: more are needed")
        asked = np.concatenate([r[chosen] for r, chosen in zip(rows, exam.chosen, strict=True)])
        booster = _boost(learned, number, exam, asked, seed, threads)
        margins = np.asarray(booster.inplace_predict(asked, predict_type="margin"), dtype=np.float64)
        calibration = fit_platt(margins, exam.label.astype(np.float64))
        raw = bytes(booster.save_raw("ubj"))
        said = sigmoid(ruled(calibration.log_odds(margins), asked, horizon_s))
        curve = budget_curve(exam, said)
        horizons.append(Horizon(horizon_s, len(raw), booster.num_boosted_rounds(), calibration, curve))
        boosters.append(raw)
        if horizon_s == HORIZON_S:
            shuffled = _shuffled(learned, number, exam, asked, seed)
        told(3 + number, total)
    content = encode_model(boosters, Header(FEATURE_VERSION, FEATURE_NAMES, tuple(horizons)))
    return _fitted(content, learned, shuffled)


def _fitted(content: bytes, learned: Examples, shuffled: tuple[float, float]) -> Fitted:
    model = decode_model(content)
    alerting = HORIZONS_S.index(model.alerting.horizon_s)
    return Fitted(
        model=model,
        content=content,
        moments=len(learned),
        failing=float(learned.failing[alerting]),
        shuffled=shuffled,
    )


def _every_minute(system: System) -> NDArray[np.float32]:
    """(E, N, F)"""
    return Recorded(system).rows(np.arange(system.minutes.shape[2]))


def _boost(learned: Examples, number: int, exam: Exam, asked: NDArray[np.float32], seed: int, threads: int) -> Any:
    """Trees until the ranking of the validation moments gets no better."""
    matrix = xgboost.QuantileDMatrix(learned.rows, learned.labels[:, number], max_bin=PARAMETERS["max_bin"])
    drawn = exam.label | (np.random.default_rng((seed, number)).random(len(exam.label)) < CHOOSING_SHARE)
    weight = np.where(exam.label[drawn], 1.0, 1 / CHOOSING_SHARE)
    choosing = xgboost.QuantileDMatrix(asked[drawn], exam.label[drawn], weight=weight, ref=matrix)
    stop = xgboost.callback.EarlyStopping(rounds=PATIENCE, metric_name="aucpr", data_name="unseen", save_best=True)
    return xgboost.train(
        PARAMETERS | {"seed": seed, "nthread": threads, "eval_metric": "aucpr"},
        matrix,
        num_boost_round=ROUNDS_MAX,
        evals=[(choosing, "unseen")],
        callbacks=[stop],
        verbose_eval=False,
    )


def _shuffled(learned: Examples, number: int, exam: Exam, asked: NDArray[np.float32], seed: int) -> tuple[float, float]:
    """Without leakage both are about equal: nothing but the labels may carry what is learned. Hence no monotone
    constraints here: they are knowledge too, and lift even random labels above the base rate."""
    labels = np.random.default_rng(seed).permutation(learned.labels[:, number])
    free = {name: value for name, value in PARAMETERS.items() if name != "monotone_constraints"}
    matrix = xgboost.QuantileDMatrix(learned.rows, labels, max_bin=PARAMETERS["max_bin"])
    booster = xgboost.train(free | {"seed": seed, "nthread": 1}, matrix, num_boost_round=SHUFFLED_TREES)
    scores = np.asarray(booster.inplace_predict(asked), dtype=np.float64)
    return average_precision(exam.label, scores), exam.base_rate


def budget_curve(exam: Exam, probabilities: NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    """(false alarms per API and day, the score from which so many were raised), rates rising, scores falling."""
    tried = sweep(exam, probabilities)
    points: list[tuple[float, float]] = []
    for rate, threshold in zip(tried.rate.tolist(), tried.thresholds.tolist(), strict=True):
        if rate > 0 and (not points or (rate > points[-1][0] and threshold < points[-1][1])):
            points.append((rate, threshold))
    step = max(1, -(-len(points) // CURVE_POINTS))
    return tuple(points[::step])
