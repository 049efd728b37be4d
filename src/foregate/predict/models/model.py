"""The predictor as a file: a digest, a header in JSON, and an XGBoost booster."""

import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from foregate.predict.features import FEATURE_NAMES, FEATURE_VERSION
from foregate.predict.history import Floats
from foregate.predict.models.calibration import Calibration
from foregate.predict.models.library import xgboost

_MAGIC = b"foregate-model 1 sha256:"
MODEL_BYTES_MAX = 16_777_216
MODEL_FILE = "model.fgm"
EXPLAIN_MAX = 200  # entities per tick that get reasons, highest scores first


class ModelError(Exception):
    """A model file that cannot be used; the message says why and is fit for people. Predictions stay off."""


class Header(msgspec.Struct, frozen=True):
    """What a model says about itself."""

    feature_version: str
    features: tuple[str, ...]
    calibration: Calibration
    horizon_s: int
    budget_threshold: float | None  # the score that met half a false alarm per API and day on validation, if one did


@dataclass(frozen=True, slots=True)
class Scored:
    """For n entities: `probability` (n,); for the `explained` (k row numbers) also `shap` (k, F+1).

    A row of `shap` holds exact shares of the log-odds, the bias last: it sums to ln(probability / (1 − probability)).
    """

    probability: Floats
    explained: NDArray[np.intp]
    shap: Floats


class Model:
    """A loaded model. `version` is "<feature version>-<digest of the file's content>"."""

    def __init__(self, booster: Any, header: Header, version: str) -> None:
        self._booster = booster
        self.header = header
        self.version = version

    def score(self, rows: Floats, explain_max: int = EXPLAIN_MAX) -> Scored:
        """Score feature vectors, shape (n, F), and explain the `explain_max` highest scores by exact TreeSHAP.

        Explaining costs twenty times what scoring does; nobody asks why the thousandth API is well.
        """
        probability = self.probabilities(rows)
        explained = np.sort(np.argsort(-probability, kind="stable")[:explain_max])
        calibration = self.header.calibration
        matrix = xgboost.DMatrix(rows[explained], nthread=1)
        shap = calibration.scale * np.asarray(self._booster.predict(matrix, pred_contribs=True), dtype=np.float64)
        shap[:, -1] += calibration.shift
        return Scored(probability, explained, shap)

    def probabilities(self, rows: Floats) -> Floats:
        """The probabilities alone, shape (n,)."""
        margin = np.asarray(self._booster.inplace_predict(rows, predict_type="margin"), dtype=np.float64)
        return self.header.calibration.apply(margin)


def encode_model(booster: Any, header: Header) -> bytes:
    """The bytes of a model file."""
    body = msgspec.json.encode(header) + b"\n" + bytes(booster.save_raw("ubj"))
    return _MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def decode_model(content: bytes, name: str = "model") -> Model:
    """Check and load the bytes of a model file. Nothing unchecked reaches native code. Raises ModelError."""
    first, _, body = content.partition(b"\n")
    if not first.startswith(_MAGIC):
        raise ModelError(f"{name} is not a foregate model")
    digest = hashlib.sha256(body).hexdigest()
    if first[len(_MAGIC) :] != digest.encode():
        raise ModelError(f"{name} is damaged: its content does not match its digest")
    head, _, raw = body.partition(b"\n")
    try:
        header = msgspec.json.decode(head, type=Header)
    except msgspec.DecodeError as error:
        raise ModelError(f"{name} has an unreadable header: {error}") from error
    if header.feature_version != FEATURE_VERSION or header.features != FEATURE_NAMES:
        raise ModelError(
            f"{name} was trained on feature version {header.feature_version}, "
            f"this foregate computes {FEATURE_VERSION}: train it anew with `foregate predict train`"
        )
    if not header.calibration.valid():
        raise ModelError(f"{name} has a calibration that does not rise with the risk")
    booster = xgboost.Booster({"nthread": 1})
    try:
        booster.load_model(bytearray(raw))
    except xgboost.core.XGBoostError as error:
        raise ModelError(f"{name} holds no readable booster") from error
    return Model(booster, header, f"{FEATURE_VERSION}-{digest[:12]}")


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
