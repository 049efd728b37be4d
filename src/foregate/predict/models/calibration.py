"""From a margin in log-odds to an honest probability: Platt scaling, two plain numbers kept with the model."""

import math
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STEPS_MAX: Final = 100
_CHANGE_MIN: Final = 1e-10


class Calibration(msgspec.Struct, frozen=True):
    """probability = 1 / (1 + exp(−(scale · margin + shift))). A scale below 1 tempers trees that are too sure.

    It is linear in the log-odds, so exact SHAP shares of the margin times `scale` are exact shares of the result.
    """

    scale: float
    shift: float

    def valid(self) -> bool:
        """Finite, and a higher margin means a higher probability."""
        return math.isfinite(self.scale) and math.isfinite(self.shift) and self.scale > 0

    def log_odds(self, margins: Floats) -> Floats:
        return self.scale * margins + self.shift


def sigmoid(log_odds: Floats) -> Floats:
    """From log-odds to probabilities."""
    result: Floats = 1.0 / (1.0 + np.exp(-log_odds))
    return result


def fit_platt(margins: Floats, labels: Floats) -> Calibration:
    """The maximum-likelihood scale and shift by Newton's method. margins, labels: shape (n,); labels 0 or 1.

    The labels are drawn in from 0 and 1 as if one observation of each kind had been added (Platt 1999), so separable
    data give a finite scale. Raises ValueError when the margins say nothing, or the wrong thing, about the labels.
    """
    positives = float(labels.sum())
    high, low = (positives + 1) / (positives + 2), 1 / (len(labels) - positives + 2)
    targets = np.where(labels > 0, high, low)
    design = np.stack([margins, np.ones_like(margins)], axis=1)
    weights = np.array([1.0, 0.0])
    for _ in range(_STEPS_MAX):
        p = 1.0 / (1.0 + np.exp(-design @ weights))
        hessian = (design * (p * (1 - p))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(hessian, design.T @ (targets - p))
        weights = weights + np.clip(step, -1.0, 1.0)
        if float(np.abs(step).max()) < _CHANGE_MIN:
            break
    found = Calibration(float(weights[0]), float(weights[1]))
    if not found.valid():
        raise ValueError("the margins do not rise with the labels: there is nothing to calibrate")
    return found
