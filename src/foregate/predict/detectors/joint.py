"""PCA residual: metrics that leave the way in which they usually move together."""

from __future__ import annotations

from typing import Final

import numpy as np

from foregate.predict.detectors.detector import SCORE_MAX, clean
from foregate.predict.detectors.slots import Floats, Index, Slots

LEARNING: Final = 32  # moments before the first score
SHARE: Final = 0.005  # weight of the newest moment
REFIT: Final = 16  # moments between two fits
BOUND: Final = 5.0  # deviations: what is further away teaches no more than that
FLOOR: Final = 0.02  # of the mean: a smaller deviation is no news
NOISE: Final = 0.05  # least variance of a component, of a metric's own


class JointPca(Slots):
    """The distance from the first principal component of m metrics of one entity, in the deviations of the others.

    Traffic, latency and load move together on an ordinary day: that is the first component. What is left of a moment
    is measured component by component (Jackson & Mudholkar, Technometrics 21(3), 1979). A moment of which a metric is
    missing is a gap. A metric that never moved has no part until it does.
    """

    scale_free = True

    def __init__(self, size: int, metrics: int) -> None:
        super().__init__(size)
        self.metrics = metrics
        self.seen = self._counts("seen")
        self.mean = self._floats("mean", metrics)
        self.deviation = self._floats("deviation", metrics, blank=0.0)  # mean absolute one
        self.moments = self._floats("moments", metrics, metrics, blank=0.0)
        self.minor = self._floats("minor", metrics - 1, metrics)  # components but the first, over their deviations

    def score(self, values: Floats) -> Floats:
        """Values (n, m) → the root mean square of the minor components, in their deviations."""
        z = self._standard(clean(values))
        away = np.einsum("ncm,nm->nc", self.minor.astype(np.float64), z)
        scores = np.minimum(np.sqrt(np.mean(away**2, axis=1)), SCORE_MAX)
        told: Floats = np.where(self.seen >= LEARNING, scores, np.nan)
        return told

    def learn(self, values: Floats) -> None:
        """Take the moments in."""
        cleaned = clean(values)
        there = np.flatnonzero(~np.isnan(cleaned).any(axis=1))
        if not len(there):
            return
        self.seen[there] += 1
        share = np.maximum(SHARE, 1.0 / self.seen[there])[:, None]
        values, usual = cleaned[there], self.deviation[there].astype(np.float64)
        mean = np.where(np.isnan(self.mean[there]), values, self.mean[there])
        early = (self.seen[there] < LEARNING)[:, None] | (usual <= 0)
        step = np.where(early, values - mean, np.clip(values - mean, -BOUND * usual, BOUND * usual))
        self.mean[there] = mean + share * step
        self.deviation[there] = usual + share * (np.abs(step) - usual)
        z = np.clip(self._standard(cleaned)[there], -BOUND, BOUND)
        self.moments[there] += share[:, :, None] * (z[:, :, None] * z[:, None, :] - self.moments[there])
        seen = self.seen[there]
        self._fit(there[(seen == LEARNING) | ((seen > LEARNING) & (seen % REFIT == 0))])

    def _standard(self, values: Floats) -> Floats:
        mean = self.mean.astype(np.float64)
        distance = values - mean
        noise = 1e-6 * np.abs(mean)  # what single precision makes of a flat series
        scale = np.maximum(self.deviation * 1.2533, FLOOR * np.abs(mean)) + noise
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(np.abs(distance) <= noise, 0.0, distance / scale)
        kept: Floats = np.where(np.isnan(values), np.nan, np.clip(z, -SCORE_MAX, SCORE_MAX))
        return kept

    def _fit(self, slots: Index) -> None:
        if len(slots):
            variances, vectors = np.linalg.eigh(self.moments[slots].astype(np.float64))
            minor = vectors[:, :, :-1] / np.sqrt(np.maximum(variances[:, None, :-1], NOISE))
            self.minor[slots] = minor.transpose(0, 2, 1)
