"""Fit the predictor: boosted trees on relative features, one per horizon, chosen and calibrated on systems that the
trees have not seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xgboost
from numpy.typing import NDArray

from foregate.predict.asked import Asked
from foregate.predict.evaluate.exam import Exam, exam_of
from foregate.predict.evaluate.own_budget import budget_curve
from foregate.predict.evaluate.paging import sweep
from foregate.predict.evaluate.system import System
from foregate.predict.examples import Each, Examples, examples, telling_examples
from foregate.predict.failures import HORIZON_S
from foregate.predict.features import FEATURE_NAMES, FEATURE_VERSION, FEATURES
from foregate.predict.models.calibration import fit_platt, sigmoid
from foregate.predict.models.model import HORIZONS_S, Header, Horizon, Model, decode_model, encode_model
from foregate.predict.random_labels import RandomLabels, random_labels

ROUNDS_MAX: Final = 400
PATIENCE: Final = 40  # trees without a better ranking of unseen systems
CHOOSING_SHARE: Final = 0.2  # of the calm validation moments that the ranking is looked at on
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
_ALERTING: Final = HORIZONS_S.index(HORIZON_S)
Step = Callable[[int, int], None]  # (done, of how many)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model and the bytes of its file.

    `moments`, `failing`: how many moments it learned from, and the share with a failure within the alerting horizon.
    `random_labels`: what trees make of the same moments with labels that mean nothing.
    """

    model: Model
    content: bytes
    moments: int
    failing: float
    random_labels: RandomLabels


@dataclass(frozen=True, slots=True)
class Scout:
    """The booster that looks for what is worth learning; its bytes travel to other processes."""

    content: bytes

    def __call__(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        booster = xgboost.Booster()
        booster.load_model(bytearray(self.content))
        return np.asarray(booster.inplace_predict(rows, predict_type="margin"), dtype=np.float64)


def fit(
    train: Sequence[System],
    validation: Sequence[System],
    *,
    seed: int,
    threads: int = 1,
    each: Each = map,
    step: Step | None = None,
) -> Fitted:
    """Learn on some systems; number of trees, calibration and thresholds come from others. Same input, same bytes.

    `each`: how the work on single systems is done; neither it nor `threads` changes the bytes. Raises ValueError when
    either part holds no failure.
    """
    told = step or (lambda done, total: None)
    total = 5 + len(HORIZONS_S)
    first = examples(train, HORIZONS_S, seed=seed, each=each)
    told(1, total)
    exams = [exam_of(validation, horizon_s) for horizon_s in HORIZONS_S]
    if not first.labels.any(axis=0).all() or not all(exam.label.any() for exam in exams):
        raise ValueError("the recordings hold no failure to learn from, or none to choose by: more are needed")
    asked = Asked.of(validation, exams, each)
    told(2, total)
    scout = _boost(first, _ALERTING, exams[_ALERTING], asked, seed, threads)
    told(3, total)
    learned = telling_examples(train, HORIZONS_S, Scout(bytes(scout.save_raw("ubj"))), seed=seed, each=each)
    told(4, total)
    horizons, boosters = [], []
    for number, (horizon_s, exam) in enumerate(zip(HORIZONS_S, exams, strict=True)):
        booster = _boost(learned, number, exam, asked, seed, threads)
        margins = asked.margins(booster, exam)
        calibration = fit_platt(margins, exam.label.astype(np.float64))
        raw = bytes(booster.save_raw("ubj"))
        said = sigmoid(asked.ruled(calibration.log_odds(margins), exam, horizon_s))
        curve = budget_curve(sweep(exam, said))
        horizons.append(Horizon(horizon_s, len(raw), booster.num_boosted_rounds(), calibration, curve))
        boosters.append(raw)
        told(5 + number, total)
    chance = _with_random_labels(first, exams[_ALERTING], asked, seed)
    told(total, total)
    content = encode_model(boosters, Header(FEATURE_VERSION, FEATURE_NAMES, tuple(horizons)))
    return Fitted(decode_model(content), content, len(learned), float(learned.failing[_ALERTING]), chance)


def _boost(learned: Examples, number: int, exam: Exam, asked: Asked, seed: int, threads: int) -> Any:
    """Trees until the ranking of the validation moments gets no better."""
    matrix = xgboost.QuantileDMatrix(learned.rows, learned.labels[:, number], max_bin=PARAMETERS["max_bin"])
    drawn = exam.label | (np.random.default_rng((seed, number)).random(len(exam.label)) < CHOOSING_SHARE)
    weight = np.where(exam.label[drawn], 1.0, 1 / CHOOSING_SHARE)
    choosing = xgboost.QuantileDMatrix(asked.drawn(exam, drawn), exam.label[drawn], weight=weight, ref=matrix)
    stop = xgboost.callback.EarlyStopping(rounds=PATIENCE, metric_name="aucpr", data_name="unseen", save_best=True)
    return xgboost.train(
        PARAMETERS | {"seed": seed, "nthread": threads, "eval_metric": "aucpr"},
        matrix,
        num_boost_round=ROUNDS_MAX,
        evals=[(choosing, "unseen")],
        callbacks=[stop],
        verbose_eval=False,
    )


def _with_random_labels(learned: Examples, exam: Exam, asked: Asked, seed: int) -> RandomLabels:
    return random_labels(
        learned.rows,
        learned.labels[:, _ALERTING],
        lambda booster: asked.margins(booster, exam),
        exam.label,
        parameters={name: value for name, value in PARAMETERS.items() if name != "monotone_constraints"},
        seed=seed,
    )
