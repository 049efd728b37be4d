"""A bounded sample of a long past: thinned evenly as the past grows, so that 256 values tell of thousands."""

from __future__ import annotations

import numpy as np

from foregate.predict.detectors.slots import Floats, Index, Slots, State


class Sample(Slots):
    """Up to `keep` values per slot out of the latest `keep · stride_max`.

    Every value is kept until the room is full; then every second one goes and half as many are taken in, and so on up
    to one in `stride_max`, from where on the oldest gives way. Which ones are taken is decided by a hash of their
    number (Knuth, TAOCP 3, 6.4), not by every k-th: that would see one hour of the day only.
    """

    def __init__(self, size: int, keep: int, stride_max: int) -> None:
        super().__init__(size)
        self.keep, self.stride_max = keep, stride_max
        self.kept = self._floats("kept", keep)
        self.seen = self._counts("seen")
        self.held = self._counts("held")  # values in the room
        self.next = self._counts("next")  # where the next one goes
        self.stride = self._counts("stride", 1)

    def add(self, values: Floats) -> None:
        """Take in one value per slot; NaN is left out."""
        there = np.flatnonzero(~np.isnan(values))
        number = self.seen[there]
        self.seen[there] += 1
        drawn = ((number * 2_654_435_761) % 4_294_967_296) >> 15
        taken = there[drawn % self.stride[there] == 0]
        self._make_room(taken[(self.held[taken] == self.keep) & (self.stride[taken] < self.stride_max)])
        at = self.next[taken]
        self.kept[taken, at] = values[taken]
        self.next[taken] = (at + 1) % self.keep
        self.held[taken] = np.minimum(self.held[taken] + 1, self.keep)

    def _make_room(self, full: Index) -> None:
        if not len(full):
            return
        half = self.keep // 2
        self.kept[full, :half] = self.kept[full, ::2][:, :half]
        self.kept[full, half:] = np.nan
        self.held[full] = half
        self.next[full] = half
        self.stride[full] *= 2

    def sorted(self, slots: Index) -> State:
        """The values of these slots in ascending order, NaN last, shape (slots, keep)."""
        return np.sort(self.kept[slots], axis=1)


def quantile(ordered: State, held: Floats, share: float) -> Floats:
    """A quantile of each row of ascending values of which the first `held` are there (linear between neighbours)."""
    place = np.maximum(held - 1, 0) * share
    low = np.floor(place).astype(np.intp)
    rows = np.arange(len(ordered))
    below = ordered[rows, low].astype(np.float64)
    above = ordered[rows, np.minimum(low + 1, np.maximum(held - 1, 0).astype(np.intp))].astype(np.float64)
    found: Floats = below + (place - low) * (above - below)
    return found
