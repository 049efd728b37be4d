"""EWMA + z: the distance from an exponentially weighted mean in exponentially weighted standard deviations."""

from __future__ import annotations

from typing import Final

import numpy as np

from foregate.predict.detectors.detector import clean, ratio
from foregate.predict.detectors.slots import Floats, Slots

LEARNING: Final = 12  # values before the first score


class EwmaZ(Slots):
    """|x − mean| / deviation, both of weight `share` for the newest value (Roberts, Technometrics 1(3), 1959).

    The oldest detector there is, and a baseline: an anomaly widens the very deviation it is measured by.
    """

    scale_free = True

    def __init__(self, size: int, share: float = 0.02) -> None:
        super().__init__(size)
        self._share = share
        self.mean = self._floats("mean")
        self.variance = self._floats("variance", blank=0.0)
        self.seen = self._counts("seen")

    def score(self, values: Floats) -> Floats:
        """The z without its sign."""
        distance = np.abs(clean(values) - self.mean)
        noise = 1e-6 * np.abs(self.mean.astype(np.float64))  # what single precision makes of a flat series
        scores = ratio(np.where(distance <= noise, 0.0, distance), np.sqrt(self.variance.astype(np.float64)) + noise)
        return np.where(self.seen >= LEARNING, scores, np.nan)

    def learn(self, values: Floats) -> None:
        """Take the values in. The first ones weigh 1/n each, as in a plain mean."""
        cleaned = clean(values)
        there = ~np.isnan(cleaned)
        self.seen += there
        share = np.maximum(self._share, 1.0 / np.maximum(self.seen, 1))
        mean = np.where(np.isnan(self.mean), cleaned, self.mean)
        step = cleaned - mean
        variance = (1 - share) * (self.variance + share * step**2)
        self.mean = np.where(there, mean + share * step, self.mean).astype(np.float32)
        self.variance = np.where(there, variance, self.variance).astype(np.float32)
