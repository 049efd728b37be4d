"""Features: pure functions of one entity's windows and its own past, each with a unit and a sentence.

`FEATURES` is the one list that training and serving share; `FEATURE_VERSION` changes with it, and a model of another
version is refused. Nothing here knows which entity it looks at: the features are relative to its own usual.
"""

import hashlib
from typing import Final

import numpy as np

from foregate.predict.features.errors import ERRORS
from foregate.predict.features.feature import Feature
from foregate.predict.features.latency import LATENCY
from foregate.predict.features.load import LOAD
from foregate.predict.features.view import View, view
from foregate.predict.history import Floats

REVISION: Final = 1  # raise it when a formula changes under the same name
FEATURES: Final[tuple[Feature, ...]] = (*LATENCY, *ERRORS, *LOAD)
FEATURE_NAMES: Final = tuple(feature.name for feature in FEATURES)
FEATURE_VERSION: Final = f"{REVISION}-{hashlib.sha256(' '.join(FEATURE_NAMES).encode()).hexdigest()[:8]}"


def vector(of: View) -> Floats:
    """The features of one view, shape (len(FEATURES),), all finite."""
    return np.array([feature.compute(of) for feature in FEATURES])


__all__ = ["FEATURES", "FEATURE_NAMES", "FEATURE_VERSION", "Feature", "View", "vector", "view"]
