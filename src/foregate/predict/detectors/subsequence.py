"""Sub-PCA: how badly the last sixteen values are rebuilt from the few shapes that the series usually takes."""

from __future__ import annotations

from typing import Final

import numpy as np

from foregate.predict.detectors.detector import clean, ratio
from foregate.predict.detectors.slots import Floats, Index, Slots, parts

WINDOW: Final = 16  # values of one subsequence
KEEP: Final = 256  # values that the shapes are learned from
SHAPES: Final = 3  # principal components
REFIT: Final = 64  # values between two fits
FLOOR: Final = 0.02  # of the median: a smaller error is no news
BOUND: Final = 8.0  # robust deviations: outliers are cut before the fit, so that they do not become a shape


class SubPca(Slots):
    """The reconstruction error of the latest subsequence, in units of its median over the past (sub-PCA; Paparrizos et
    al., TSB-UAD, PVLDB 15(8), 2022).

    A fit costs an eigenvalue problem of 16 × 16. So that thousands of series do not fit in the same minute, each has
    its own phase, drawn from the mantissa of its first value: the same alone as in a bank. A gap is filled with the
    value before it, and scored NaN.
    """

    scale_free = True

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.ring = self._floats("ring", KEEP)
        self.seen = self._counts("seen")  # values and filled gaps since the first value
        self.fits = self._counts("fits")
        self.phase = self._counts("phase")
        self.centre = self._floats("centre")
        self.unit = self._floats("unit")
        self.shape_mean = self._floats("shape_mean", WINDOW)
        self.shapes = self._floats("shapes", SHAPES, WINDOW)
        self.usual = self._floats("usual")

    def score(self, values: Floats) -> Floats:
        """The error of the subsequence that ends with the values."""
        cleaned = clean(values)
        there = np.flatnonzero(~np.isnan(cleaned) & (self.fits > 0))
        scores = np.full(self.size, np.nan)
        if len(there):
            scores[there] = self._errors(there, np.column_stack((self._latest(there), cleaned[there])))
        return scores

    def learn(self, values: Floats) -> None:
        """Take the values in; fit anew where it is due."""
        cleaned = clean(values)
        new = ~np.isnan(cleaned) & (self.seen == 0)
        self.phase[new] = _phase(cleaned[new])
        known = np.flatnonzero(new | (self.seen > 0))
        before = self.ring[known, (self.seen[known] - 1) % KEEP]
        filled = np.where(np.isnan(cleaned[known]), before, cleaned[known])
        self.ring[known, self.seen[known] % KEEP] = filled
        self.seen[known] += 1
        seen = self.seen
        due = (seen == 4 * WINDOW) | ((seen > 4 * WINDOW) & ((seen + self.phase) % REFIT == 0))
        for some in parts(np.flatnonzero(due)):
            self._fit(some)

    def _latest(self, slots: Index) -> Floats:
        at = (self.seen[slots, None] - np.arange(WINDOW - 1, 0, -1)) % KEEP
        latest: Floats = self.ring[slots[:, None], at].astype(np.float64)
        return latest

    def _errors(self, slots: Index, windows: Floats) -> Floats:
        centre = self.centre[slots].astype(np.float64)
        unit = self.unit[slots].astype(np.float64)
        away = (windows - centre[:, None]) - (self.shape_mean[slots] * unit[:, None])
        shapes = self.shapes[slots].astype(np.float64)
        shares = np.einsum("skw,sw->sk", shapes, away)
        left = away - np.einsum("sk,skw->sw", shares, shapes)
        error = np.sqrt(np.mean(left**2, axis=1))
        noise = 1e-6 * np.abs(centre)
        scale = np.maximum(self.usual[slots] * unit, FLOOR * np.abs(centre)) + noise
        return ratio(np.where(error <= noise, 0.0, error), scale)

    def _fit(self, slots: Index) -> None:
        held = int(min(self.seen[slots].min(), KEEP))
        if int(min(self.seen[slots].max(), KEEP)) != held:  # young ones hold fewer values than old ones
            for count in np.unique(np.minimum(self.seen[slots], KEEP)):
                self._fit(slots[np.minimum(self.seen[slots], KEEP) == count])
            return
        at = (self.seen[slots, None] - np.arange(held, 0, -1)) % KEEP
        past = self.ring[slots[:, None], at].astype(np.float64)
        centre = np.median(past, axis=1)
        spread = np.median(np.abs(past - centre[:, None]), axis=1) * 1.4826
        spread = np.where(spread > 0, spread, np.mean(np.abs(past - centre[:, None]), axis=1))
        unit = np.where(spread > 0, spread, np.where(centre != 0, np.abs(centre), 1.0))
        scaled = np.clip((past - centre[:, None]) / unit[:, None], -BOUND, BOUND)
        windows = np.lib.stride_tricks.sliding_window_view(scaled, WINDOW, axis=1)
        mean = windows.mean(axis=1)
        away = windows - mean[:, None, :]
        variances, vectors = np.linalg.eigh(away.transpose(0, 2, 1) @ away)
        real = variances[:, -SHAPES:] > 1e-9  # a flat series has no shape: none may be read into it
        shapes = (vectors[:, :, -SHAPES:] * real[:, None, :]).transpose(0, 2, 1)
        left = away - (away @ shapes.transpose(0, 2, 1)) @ shapes
        self.usual[slots] = np.median(np.sqrt(np.mean(left**2, axis=2)), axis=1)
        self.centre[slots], self.unit[slots], self.shape_mean[slots], self.shapes[slots] = centre, unit, mean, shapes
        self.fits[slots] += 1


def _phase(first: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    mantissa = np.frexp(first.astype(np.float32))[0]
    bits = mantissa.view(np.uint32).astype(np.int64)
    return ((bits * 2_654_435_761) >> 24) % REFIT
