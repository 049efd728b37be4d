"""Change point: evidence that the level has moved, gathered value by value (CUSUM)."""

from __future__ import annotations

from typing import Final

import numpy as np

from foregate.predict.detectors.detector import clean
from foregate.predict.detectors.robust import RobustZ
from foregate.predict.detectors.slots import Floats, Index, Slots

SLACK: Final = 1.0  # deviations: a move of twice as much is what the test is best at
BOUND: Final = 4.0  # deviations: a single outlier is no move
EVIDENCE_MAX: Final = 100.0


class Cusum(Slots):
    """max(S⁺, S⁻) with S± = max(0, S± ± u − 1), u the robust z within ±4 (Page, Biometrika 41, 1954).

    Both sums are at most 100, so that a return to the old level is believed after at most a hundred usual values. The
    median and the deviation are those of `RobustZ`, which has its own memory here, or is shared with the detector
    beside it: then whoever owns it feeds it.
    """

    scale_free = True

    def __init__(self, size: int, usual: RobustZ | None = None) -> None:
        super().__init__(size)
        self._usual = usual or RobustZ(size)
        self._owned = usual is None
        self.up = self._floats("up", blank=0.0)
        self.down = self._floats("down", blank=0.0)

    def score(self, values: Floats) -> Floats:
        """The evidence with the values taken in."""
        z = self._usual.signed(values)
        return np.where(np.isnan(z), np.nan, np.maximum(*self._sums(z)))

    def learn(self, values: Floats) -> None:
        """Take the values in. Call it before the shared `RobustZ` learns them."""
        z = self._usual.signed(values)
        there = ~np.isnan(z)
        up, down = self._sums(z)
        self.up = np.where(there, up, self.up).astype(np.float32)
        self.down = np.where(there, down, self.down).astype(np.float32)
        if self._owned:
            self._usual.learn(values)

    def reset(self, slots: Index) -> None:
        """Forget these slots."""
        super().reset(slots)
        if self._owned:
            self._usual.reset(slots)

    def grow(self, size: int) -> None:
        """Add blank slots up to `size` in all."""
        super().grow(size)
        if self._owned:
            self._usual.grow(size)

    @property
    def nbytes(self) -> int:
        """Memory of the state, in bytes."""
        return super().nbytes + (self._usual.nbytes if self._owned else 0)

    def _sums(self, z: Floats) -> tuple[Floats, Floats]:
        bounded = np.clip(clean(z), -BOUND, BOUND)
        up = np.clip(self.up + bounded - SLACK, 0.0, EVIDENCE_MAX)
        down = np.clip(self.down - bounded - SLACK, 0.0, EVIDENCE_MAX)
        return up, down
