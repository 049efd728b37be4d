"""Explanations: the exact SHAP shares of a score, said in sentences."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.features import FEATURES, Frame
from foregate.predict.usual import Floats
from foregate.wire.risk import Contribution

CONTRIBUTIONS_MAX: Final = 5
REASONS_MAX: Final = 3


def contributions(frame: Frame, i: int, shap: NDArray[np.float64], row: Floats) -> tuple[Contribution, ...]:
    """The strongest features of moment `i`, strongest first, at most one per topic.

    shap: (F+1,), log-odds; row: (F,), its features. What is not known (NaN) counts, but has no sentence. Features of
    one topic say nearly the same thing; each keeps its own exact share, none is added to another.
    """
    chosen: dict[str, Contribution] = {}
    shares, values = shap.tolist(), row.tolist()
    for at in np.argsort(-np.abs(shap[: len(FEATURES)]), kind="stable").tolist():
        feature, share, value = FEATURES[at], shares[at], values[at]
        if share == 0.0 or len(chosen) == CONTRIBUTIONS_MAX:
            break
        if feature.topic not in chosen and value == value:
            chosen[feature.topic] = Contribution(feature.name, value, share, feature.sentence(frame, i))
    return tuple(chosen.values())


def reasons(of: tuple[Contribution, ...]) -> tuple[str, ...]:
    """The sentences that raise the risk, strongest first, at most three, none twice."""
    raising = dict.fromkeys(c.sentence for c in of if c.shap > 0)
    return tuple(raising)[:REASONS_MAX]


__all__ = ["CONTRIBUTIONS_MAX", "contributions", "reasons"]
