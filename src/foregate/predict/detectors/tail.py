"""From a score to a p-value: its rank among the series' own past scores, and beyond them a fitted tail."""

from __future__ import annotations

from typing import Final

import numpy as np

from foregate.predict.detectors.sample import Sample, quantile
from foregate.predict.detectors.slots import Floats, Index, Slots, parts

LEARNING: Final = 32  # scores before the first p-value
REFRESH: Final = 8  # scores between two fits of the tail
TAIL: Final = 0.1  # share of the past scores that the tail is fitted to
P_MIN: Final = 1e-9


class Tail(Slots):
    """p-values of scores by a sample of `keep` of the series' own past scores.

    Within the past, p is conformal: (1 + number of past scores ≥ s) / (n + 1), which holds for exchangeable scores
    whatever their distribution (Vovk et al., Algorithmic Learning in a Random World, 2005). Beyond the 90 % quantile
    that is too coarse for an alarm a day, so peaks over it are taken as exponential (peaks over threshold; Coles, An
    Introduction to Statistical Modeling of Extreme Values, chapter 4): give it the logarithm of a score whose tail is
    a power. Their mean m is estimated from k peaks, and what that estimate may be wrong by is in p: the predictive
    distribution of the next peak is (1 + x / (k m))^−k. So few past scores give careful p-values, not bold ones.
    """

    def __init__(self, size: int, keep: int, stride_max: int) -> None:
        super().__init__(size)
        self.sample = Sample(size, keep, stride_max)
        self.start = self._floats("start")  # the 90 % quantile
        self.scale = self._floats("scale")  # mean peak over it
        self.peaks = self._floats("peaks")  # their number

    def p_values(self, scores: Floats) -> Floats:
        """p in [1e-9, 1]; NaN where there is no score or too little past."""
        held = self.sample.held
        above = np.count_nonzero(self.sample.kept >= scores.astype(np.float32)[:, None], axis=1)
        rank = (1.0 + above) / (held + 1.0)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            reach = (scores - self.start) / (self.peaks * self.scale.astype(np.float64))
            beyond = TAIL * (1.0 + reach) ** -self.peaks.astype(np.float64)
        beyond = np.where(self.scale > 0, beyond, np.where(scores > self.start, P_MIN, 1.0))
        found = np.where(scores > self.start, np.clip(beyond, P_MIN, TAIL), np.maximum(rank, P_MIN))
        ready = (held >= LEARNING) & ~np.isnan(scores) & ~np.isnan(self.start)
        return np.where(ready, found, np.nan)

    def learn(self, scores: Floats) -> None:
        """Take the scores in; the tail is fitted anew every eighth time."""
        self.sample.add(scores)
        seen = self.sample.seen
        due = ~np.isnan(scores) & (seen >= LEARNING) & ((seen < 2 * LEARNING) | (seen % REFRESH == 0))
        for some in parts(np.flatnonzero(due)):
            self._fit(some)

    def reset(self, slots: Index) -> None:
        """Forget these slots."""
        super().reset(slots)
        self.sample.reset(slots)

    def grow(self, size: int) -> None:
        """Add blank slots up to `size` in all."""
        super().grow(size)
        self.sample.grow(size)

    @property
    def nbytes(self) -> int:
        """Memory of the state, in bytes."""
        return super().nbytes + self.sample.nbytes

    def _fit(self, slots: Index) -> None:
        ordered, held = self.sample.sorted(slots), self.sample.held[slots].astype(np.float64)
        start = quantile(ordered, held, 1.0 - TAIL)
        over = np.where(ordered > start[:, None], ordered - start[:, None], 0.0)  # NaN compares as False
        peaks = np.count_nonzero(over, axis=1)
        self.start[slots] = start
        self.peaks[slots] = np.maximum(peaks, 1)
        self.scale[slots] = over.sum(axis=1) / np.maximum(peaks, 1)
