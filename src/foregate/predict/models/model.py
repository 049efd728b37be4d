"""The predictor as a file: a digest, a header in JSON, and one XGBoost booster per horizon."""

import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from foregate.predict.failures import HORIZON_S
from foregate.predict.features import FEATURE_NAMES, FEATURE_VERSION
from foregate.predict.models.calibration import Calibration, sigmoid
from foregate.predict.models.library import xgboost
from foregate.predict.models.rules import CERTIFICATE, ruled
from foregate.predict.models.shares import Shares
from foregate.wire.budget import score_for

Floats = NDArray[np.float64]

_MAGIC = b"foregate-model 2 sha256:"
MODEL_BYTES_MAX = 16_777_216
MODEL_FILE = "model.fgm"
HORIZONS_S: Final = (300, 900, 3_600)
EXPLAIN_MAX = 2_000  # entities per tick that get reasons, highest scores first


class ModelError(Exception):
    """A model file that cannot be used; the message says why and is fit for people. Predictions stay off."""


class Horizon(msgspec.Struct, frozen=True):
    """One question: does it fail within `horizon_s`? `bytes` of booster follow the header, in the order of horizons.

    `curve`: (false alarms per API and day, the score from which so many were raised) on validation, rates rising.
    """

    horizon_s: int
    bytes: int
    trees: int
    calibration: Calibration
    curve: tuple[tuple[float, float], ...]

    def probabilities(self, margins: Floats, rows: NDArray[np.floating]) -> Floats:
        """From what its booster says of rows (n, F) to an answer, (n,): calibrated, and as the rules have it."""
        return sigmoid(ruled(self.calibration.log_odds(margins), rows, self.horizon_s))

    def threshold(self, per_day: float) -> float | None:
        """See `score_for`."""
        return score_for(self.curve, per_day)


class Header(msgspec.Struct, frozen=True):
    """What a model says about itself."""

    feature_version: str
    features: tuple[str, ...]
    horizons: tuple[Horizon, ...]


@dataclass(frozen=True, slots=True)
class Scored:
    """For n entities: `probability` (n, horizons), never falling from a horizon to a longer one.

    For the `explained` (k row numbers) also `shap` (k, F+1), of the horizon that alerts are raised for: exact shares of
    its log-odds, the bias last; a row sums to ln(p / (1 − p)) of the answer to that question.
    """

    probability: Floats
    explained: NDArray[np.intp]
    shap: Floats


class Model:
    """A loaded model. `version` is "<feature version>-<digest of the file's content>"."""

    def __init__(self, boosters: list[Any], header: Header, version: str) -> None:
        self._boosters = boosters
        self.header = header
        self.version = version
        self._shares: list[Shares | None] = []  # of the alerting horizon, made when the first score is explained
        self._alerting = [h.horizon_s for h in header.horizons].index(HORIZON_S)

    @property
    def alerting(self) -> Horizon:
        """The horizon that alerts are raised for."""
        return self.header.horizons[self._alerting]

    def score(self, rows: NDArray[np.floating], explain_max: int = EXPLAIN_MAX) -> Scored:
        """Score feature vectors, shape (n, F), and explain the `explain_max` highest scores by exact TreeSHAP."""
        probability = self.probabilities(rows)
        order = np.argsort(-probability[:, self._alerting], kind="stable")
        explained = np.sort(order[:explain_max])
        if not len(explained):
            return Scored(probability, explained, np.zeros((0, rows.shape[1] + 1)))
        calibration = self.alerting.calibration
        chosen = rows[explained]
        shap = calibration.scale * self._contributions(chosen)
        shap[:, -1] += calibration.shift
        learned = shap.sum(axis=1)
        shap[:, CERTIFICATE] += ruled(learned, chosen, self.alerting.horizon_s) - learned
        return Scored(probability, explained, shap)

    def _contributions(self, rows: NDArray[np.floating]) -> Floats:
        booster = self._boosters[self._alerting]
        if not self._shares:
            self._shares.append(Shares.of(booster, rows.shape[1]))
        [tables] = self._shares
        if tables is not None:
            return tables.explain(rows)
        told = booster.predict(xgboost.DMatrix(rows, nthread=1), pred_contribs=True)
        return np.asarray(told, dtype=np.float64)

    def weights(self) -> dict[str, float]:
        """How much the alerting horizon heeds each feature: the gain of all its splits; unused ones are left out."""
        booster = self._boosters[self._alerting]
        gains = booster.get_score(importance_type="total_gain")
        names = booster.feature_names or [f"f{i}" for i in range(len(FEATURE_NAMES))]
        return {FEATURE_NAMES[names.index(key)]: float(value) for key, value in gains.items()}

    def probabilities(self, rows: NDArray[np.floating]) -> Floats:
        """The probabilities alone, shape (n, horizons)."""
        columns = []
        for booster, horizon in zip(self._boosters, self.header.horizons, strict=True):
            margins = np.asarray(booster.inplace_predict(rows, predict_type="margin"), dtype=np.float64)
            columns.append(horizon.probabilities(margins, rows))
        # What fails within five minutes fails within an hour, whatever three boosters think of it.
        rising: Floats = np.maximum.accumulate(np.stack(columns, axis=1), axis=1)
        return rising


def encode_model(boosters: list[bytes], header: Header) -> bytes:
    """The bytes of a model file; `header.horizons` say how long each booster is."""
    body = msgspec.json.encode(header) + b"\n" + b"".join(boosters)
    return _MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def decode_model(content: bytes, name: str = "model") -> Model:
    """Check and load the bytes of a model file. Nothing unchecked reaches native code. Raises ModelError."""
    first, _, body = content.partition(b"\n")
    if not first.startswith(b"foregate-model "):
        raise ModelError(f"{name} is not a foregate model")
    if not first.startswith(_MAGIC):
        raise ModelError(f"{name} is of another foregate: train it anew with `foregate predict train`")
    digest = hashlib.sha256(body).hexdigest()
    if first[len(_MAGIC) :] != digest.encode():
        raise ModelError(f"{name} is damaged: its content does not match its digest")
    head, _, raw = body.partition(b"\n")
    try:
        header = msgspec.json.decode(head, type=Header)
    except msgspec.DecodeError as error:
        raise ModelError(f"{name} has an unreadable header: {error}") from error
    _check(header, len(raw), name)
    boosters, at = [], 0
    for horizon in header.horizons:
        boosters.append(_booster(raw[at : at + horizon.bytes], name))
        at += horizon.bytes
    return Model(boosters, header, f"{FEATURE_VERSION}-{digest[:12]}")


def _check(header: Header, size: int, name: str) -> None:
    if header.feature_version != FEATURE_VERSION or header.features != FEATURE_NAMES:
        raise ModelError(
            f"{name} was trained on feature version {header.feature_version}, "
            f"this foregate computes {FEATURE_VERSION}: train it anew with `foregate predict train`"
        )
    horizons = [h.horizon_s for h in header.horizons]
    if HORIZON_S not in horizons or sorted(set(horizons)) != horizons:
        raise ModelError(f"{name} does not answer for {HORIZON_S // 60} minutes, or answers twice")
    if any(h.bytes < 0 for h in header.horizons) or sum(h.bytes for h in header.horizons) != size:
        raise ModelError(f"{name} does not hold the boosters that its header names")
    for h in header.horizons:
        if not h.calibration.valid():
            raise ModelError(f"{name} has a calibration that does not rise with the risk")
        rates, scores = [rate for rate, _ in h.curve], [score for _, score in h.curve]
        if any(rate <= 0 for rate in rates) or sorted(rates) != rates or sorted(scores, reverse=True) != scores:
            raise ModelError(f"{name} has thresholds that do not fall as false alarms rise")


def _booster(raw: bytes, name: str) -> Any:
    booster = xgboost.Booster({"nthread": 1})
    try:
        booster.load_model(bytearray(raw))
    except xgboost.core.XGBoostError as error:
        raise ModelError(f"{name} holds no readable booster") from error
    return booster


def load_model(path: Path) -> Model:
    """Load a model file. Raises ModelError with a sentence for people: missing, too large, damaged, other features."""
    try:
        if path.stat().st_size > MODEL_BYTES_MAX:
            raise ModelError(f"{path} is larger than {MODEL_BYTES_MAX} bytes: that is no foregate model")
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    return decode_model(content, str(path))


def bundled_path() -> Path:
    """Where the bundled model and its card lie."""
    return Path(str(resources.files("foregate.predict.models") / "bundled" / MODEL_FILE))


def bundled_model() -> Model:
    """The model that comes with foregate. Raises ModelError."""
    return load_model(bundled_path())
