"""Explanations: the exact SHAP shares of a score, said in sentences."""

from typing import Final

import numpy as np

from foregate.predict.features import FEATURES, View, vector
from foregate.predict.history import Floats
from foregate.wire.risk import Contribution

CONTRIBUTIONS_MAX: Final = 5
REASONS_MAX: Final = 3


def contributions(view: View, shap: Floats, values: Floats | None = None) -> tuple[Contribution, ...]:
    """The strongest features of a score, strongest first, at most one per topic. shap: shape (F+1,), log-odds.

    Features of one topic say nearly the same thing; each keeps its own exact share, none is added to another.
    """
    row = vector(view) if values is None else values
    chosen: dict[str, Contribution] = {}
    for i in np.argsort(-np.abs(shap[: len(FEATURES)]), kind="stable"):
        feature, share = FEATURES[i], float(shap[i])
        if share == 0.0 or len(chosen) == CONTRIBUTIONS_MAX:
            break
        if feature.topic not in chosen:
            chosen[feature.topic] = Contribution(feature.name, float(row[i]), share, feature.sentence(view))
    return tuple(chosen.values())


def reasons(of: tuple[Contribution, ...]) -> tuple[str, ...]:
    """The sentences that raise the risk, strongest first, at most three, none twice."""
    raising = dict.fromkeys(c.sentence for c in of if c.shap > 0)
    return tuple(raising)[:REASONS_MAX]


__all__ = ["CONTRIBUTIONS_MAX", "contributions", "reasons"]
