"""95 % intervals by API: whole entities are drawn again and again, the same for every scorer, hence in pairs.

Moments of one API are all alike; to draw moments would make every interval far too narrow.
"""

from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from foregate.predict.evaluate.exam import Exam, Floats
from foregate.predict.evaluate.truth import Bools, Ints

RESAMPLES: Final = 1_000
BINS: Final = 256  # of scores; within one they count as ties, which moves a PR-AUC by less than its third digit
BOUNDS: Final = (2.5, 97.5)  # percent


class Interval(msgspec.Struct, array_like=True, frozen=True):
    """A 95 % interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Resamples:
    """How often each of R entities is drawn in each resample, (RESAMPLES, R)."""

    times: Floats

    @classmethod
    def draw(cls, rows: int, rng: np.random.Generator) -> "Resamples":
        if not rows:
            return cls(np.zeros((RESAMPLES, 0)))
        return cls(rng.multinomial(rows, np.full(rows, 1 / rows), RESAMPLES).astype(np.float64))

    def ratio(self, over: Floats, under: Floats) -> Floats:
        """Σ over / Σ under per resample, (RESAMPLES,); NaN where there is nothing under it."""
        above, below = self.times @ over, self.times @ under
        quotient: Floats = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
        return quotient

    def average_precision(self, exam: Exam, scores: Floats) -> Floats:
        """PR-AUC per resample, (RESAMPLES,); NaN where nothing failed."""
        bins = _bins(exam.label, scores)
        size = int(bins.max(initial=0)) + 1
        cell = exam.row * size + bins
        seen = np.bincount(cell, minlength=exam.rows * size).reshape(exam.rows, size)
        hits = np.bincount(cell[exam.label], minlength=exam.rows * size).reshape(exam.rows, size)
        seen_by = np.cumsum((self.times @ seen)[:, ::-1], axis=1)
        hits_by = np.cumsum((self.times @ hits)[:, ::-1], axis=1)
        precision = hits_by / np.maximum(seen_by, 1.0)
        gained = np.diff(hits_by, axis=1, prepend=0.0)
        all_hits = hits_by[:, -1]
        area = (gained * precision).sum(axis=1)
        mean: Floats = np.divide(area, all_hits, out=np.full(len(area), np.nan), where=all_hits > 0)
        return mean


def _bins(label: Bools, scores: Floats) -> Ints:
    """Each moment's bin: edges are quantiles of the scores of those that fail, where alone recall grows."""
    if not label.any():
        return np.zeros(len(scores), dtype=np.int64)
    said = np.where(np.isfinite(scores), scores, np.finfo(np.float64).min)
    edges = np.unique(np.quantile(said[label], np.linspace(0.0, 1.0, BINS), method="lower"))
    return np.searchsorted(edges, said, side="right")


def interval(values: Floats) -> Interval | None:
    """The 95 % interval of resampled values; None where there are none."""
    known = values[np.isfinite(values)]
    if not known.size:
        return None
    low, high = np.percentile(known, BOUNDS)
    return Interval(float(low), float(high))
