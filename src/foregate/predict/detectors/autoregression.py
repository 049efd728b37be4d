"""AR residual: the distance from a one-step forecast out of the latest values, in its usual errors."""

from __future__ import annotations

from typing import Final

import numpy as np

from foregate.predict.detectors.detector import clean, ratio
from foregate.predict.detectors.slots import Floats, Index, Slots

ORDER: Final = 3
FORGET: Final = 0.998  # weight of a sample against that of the next one: about 500 values count
RIDGE: Final = 1.0  # of the first guess (tomorrow is as today), in samples
BOUND: Final = 4.0  # usual errors: what is further away teaches no more than that
FLOOR: Final = 0.02  # of the value's size: a smaller deviation is no news
LEARNING: Final = 24  # values before the first score


class Autoregression(Slots):
    """An AR(3) model of the differences from a slow mean, fitted by recursive least squares with forgetting.

    Source: Haykin, Adaptive Filter Theory, chapter 10. The start is "as the value before". Errors are bounded as
    Huber's are, so that an outlier does not become the model. After a gap the last known value stands in.
    """

    scale_free = True

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.seen = self._counts("seen")
        self.mean = self._floats("mean")
        self.past = self._floats("past", ORDER)  # newest first
        self.weights = self._floats("weights", ORDER)
        self.inverse = self._floats("inverse", ORDER, ORDER)
        self.error = self._floats("error")  # mean absolute error
        self.spread = self._floats("spread", blank=0.0)  # mean distance from the mean: the unit of the fit

    def score(self, values: Floats) -> Floats:
        """The distance from the forecast, in usual errors."""
        expected = self._forecast()
        distance = np.abs(clean(values) - expected)
        noise = 1e-5 * np.abs(expected)  # what single precision makes of a flat series
        scale = np.maximum(self.error, FLOOR * np.abs(expected)) + noise
        scores = ratio(np.where(distance <= noise, 0.0, distance), scale)
        return np.where(self.seen >= LEARNING, scores, np.nan)

    def learn(self, values: Floats) -> None:
        """Take the values in."""
        cleaned = clean(values)
        there = ~np.isnan(cleaned)
        new = there & (self.seen == 0)
        self.mean[new], self.past[new], self.error[new] = cleaned[new], cleaned[new, None], 0.0
        self.weights[new] = (1.0, *([0.0] * (ORDER - 1)))
        self.inverse[new] = np.eye(ORDER) / RIDGE
        self.seen += there
        known = np.flatnonzero(there & ~new)
        if len(known):
            self._fit(known, cleaned[known])

    def _forecast(self) -> Floats:
        mean = self.mean.astype(np.float64)
        forecast: Floats = mean + np.einsum("ij,ij->i", self.weights, self.past - mean[:, None])
        return forecast

    def _fit(self, slots: Index, values: Floats) -> None:
        mean, usual = self.mean[slots].astype(np.float64), self.error[slots].astype(np.float64)
        share = np.maximum(0.005, 1.0 / self.seen[slots])
        early = self.seen[slots] < LEARNING
        distance = values - mean
        spread = self.spread[slots] + share * (np.abs(distance) - self.spread[slots])
        unit = np.where(spread > 0, spread, 1.0)
        past = (self.past[slots] - mean[:, None]) / unit[:, None]
        surprise = distance / unit - np.einsum("ij,ij->i", self.weights[slots], past)
        reach = np.where(early | (usual <= 0), np.inf, BOUND * usual / unit)
        bounded = np.clip(surprise, -reach, reach)
        self._least_squares(slots, past, bounded)
        self.error[slots] = usual + share * (np.abs(bounded) * unit - usual)
        self.mean[slots] = mean + share * np.clip(distance, -BOUND * unit, BOUND * unit)
        self.spread[slots] = spread
        latest = mean + np.clip(distance, -8 * unit, 8 * unit)
        self.past[slots] = np.column_stack((latest, self.past[slots, :-1]))

    def _least_squares(self, slots: Index, past: Floats, surprise: Floats) -> None:
        inverse = self.inverse[slots].astype(np.float64)
        gain = np.einsum("ijk,ik->ij", inverse, past)
        gain /= (FORGET + np.einsum("ij,ij->i", past, gain))[:, None]
        self.weights[slots] = np.clip(self.weights[slots] + gain * surprise[:, None], -4.0, 4.0)
        shrunk = (inverse - np.einsum("ij,ik,ikl->ijl", gain, past, inverse)) / FORGET
        # without excitation the inverse would grow for ever; the first guess is its bound
        self.inverse[slots] = np.clip((shrunk + shrunk.transpose(0, 2, 1)) / 2, -1 / RIDGE, 1 / RIDGE)
