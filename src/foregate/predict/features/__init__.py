"""Features: pure functions of an entity's trailing hour and its own past, each with a unit and a sentence.

`FEATURES` is the one list that training and serving share; `FEATURE_VERSION` changes with it, and a model of another
version is refused. Nothing here knows which entity it looks at: the features are relative to its own usual.
"""

import hashlib
from typing import Final

import numpy as np

from foregate.predict.features.around import Neighbourhood, health
from foregate.predict.features.errors import ERRORS
from foregate.predict.features.exhaustion import EXHAUSTION
from foregate.predict.features.feature import Feature
from foregate.predict.features.frame import Frame
from foregate.predict.features.latency import LATENCY
from foregate.predict.features.load import LOAD
from foregate.predict.features.surroundings import SURROUNDINGS
from foregate.predict.usual import Floats

REVISION: Final = 4  # raise it when a formula changes under the same name
FEATURES: Final[tuple[Feature, ...]] = (*LATENCY, *ERRORS, *LOAD, *EXHAUSTION, *SURROUNDINGS)
FEATURE_NAMES: Final = tuple(feature.name for feature in FEATURES)
FEATURE_VERSION: Final = f"{REVISION}-{hashlib.sha256(' '.join(FEATURE_NAMES).encode()).hexdigest()[:8]}"


def matrix(of: Frame) -> Floats:
    """The features of a frame's moments, shape (n, len(FEATURES)); NaN where one cannot be known."""
    return np.stack([feature.compute(of) for feature in FEATURES], axis=1).astype(np.float32)


__all__ = ["FEATURES", "FEATURE_NAMES", "FEATURE_VERSION", "Frame", "Neighbourhood", "health", "matrix"]
