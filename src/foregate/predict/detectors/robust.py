"""Robust z: the distance from the median in units of the interquartile range, over a long thinned past."""

from __future__ import annotations

from typing import Final

import numpy as np

from foregate.predict.detectors.detector import clean, ratio
from foregate.predict.detectors.sample import Sample, quantile
from foregate.predict.detectors.slots import Floats, Index, Slots, parts

LEARNING: Final = 12  # values before the first score
REFRESH: Final = 8  # values between two looks at the whole sample: sorting is what costs
FLOOR: Final = 0.02  # of the median: a smaller deviation is no news


class RobustZ(Slots):
    """|x − median| / max(IQR / 1.349, 2 % of |median|), of a sample of up to 256 of the last 2,048 values.

    Where more than half of the values are alike the IQR is 0, and the mean distance from the median stands in for it. A
    lasting change of level is unusual for hours, until the sample has taken it in.
    """

    scale_free = True

    def __init__(self, size: int, keep: int = 256, stride_max: int = 8) -> None:
        super().__init__(size)
        self.sample = Sample(size, keep, stride_max)
        self.median = self._floats("median")
        self.spread = self._floats("spread")

    def score(self, values: Floats) -> Floats:
        """The robust z without its sign."""
        return np.abs(self.signed(values))

    def signed(self, values: Floats, floor: Floats | float = 0.0) -> Floats:
        """The robust z; `floor` (n,): a deviation that chance alone explains, in the metric's unit."""
        distance = clean(values) - self.median
        noise = 1e-6 * np.abs(self.median.astype(np.float64))  # what single precision makes of a flat series
        distance = np.where(np.abs(distance) <= noise, 0.0, distance)
        spread = np.maximum(self.spread.astype(np.float64), floor)
        z: Floats = np.copysign(ratio(np.abs(distance), spread), distance)
        return z

    def learn(self, values: Floats) -> None:
        """Take the values in; the median is looked up anew every eighth value."""
        cleaned = clean(values)
        self.sample.add(cleaned)
        seen = self.sample.seen
        due = ~np.isnan(cleaned) & (seen >= LEARNING) & ((seen < 8 * REFRESH) | (seen % REFRESH == 0))
        for some in parts(np.flatnonzero(due)):
            self._look(some)

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

    def _look(self, slots: Index) -> None:
        ordered, held = self.sample.sorted(slots), self.sample.held[slots].astype(np.float64)
        median = quantile(ordered, held, 0.5)
        spread = (quantile(ordered, held, 0.75) - quantile(ordered, held, 0.25)) / 1.349
        flat = spread == 0.0
        if flat.any():
            spread[flat] = np.nanmean(np.abs(ordered[flat] - median[flat, None]), axis=1, dtype=np.float64) * 1.2533
        self.median[slots] = median
        self.spread[slots] = np.maximum(spread, FLOOR * np.abs(median))
