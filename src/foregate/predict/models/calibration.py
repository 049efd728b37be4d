"""From a margin in log-odds to an honest probability: a monotone curve, kept with the model as plain numbers."""

import itertools
from dataclasses import dataclass

import numpy as np

from foregate.predict.history import Floats


@dataclass(frozen=True, slots=True)
class Calibration:
    """Knots of a curve that never falls: `margin` (log-odds) → `probability`; straight between them, flat beyond."""

    margin: tuple[float, ...]
    probability: tuple[float, ...]

    def apply(self, margins: Floats) -> Floats:
        """Probabilities, shape as given."""
        result: Floats = np.interp(margins, self.margin, self.probability)
        return result

    def valid(self) -> bool:
        """At least one knot, margins rising, probabilities non-decreasing and within [0, 1]."""
        m, p = np.array(self.margin), np.array(self.probability)
        if not len(m) or len(m) != len(p) or not np.isfinite(m).all() or not np.isfinite(p).all():
            return False
        return bool((np.diff(m) > 0).all() and (np.diff(p) >= 0).all() and p[0] >= 0 and p[-1] <= 1)


def fit_isotonic(margins: Floats, labels: Floats, bins_max: int = 40) -> Calibration:
    """Isotonic regression by pooling adjacent violators, on equally filled bins of the sorted margins.

    Each bin takes part with one prior failure-free and half a prior failed observation, so that a pure bin does not
    claim certainty. margins, labels: shape (n,); labels 0 or 1.
    """
    order = np.argsort(margins, kind="stable")
    edges = _edges(labels[order], bins_max)
    blocks: list[tuple[float, float, float]] = []  # weighted margin, successes, weight
    for low, high in itertools.pairwise(edges):
        part = order[low:high]
        block = (float(margins[part].sum()), float(labels[part].sum()), float(len(part)))
        while blocks and _mean(blocks[-1]) >= _mean(block):
            last = blocks.pop()
            block = (last[0] + block[0], last[1] + block[1], last[2] + block[2])
        blocks.append(block)
    knots: dict[float, float] = {}
    for margin, successes, weight in blocks:
        knots[round(margin / weight, 6)] = round((successes + 0.5) / (weight + 1.5), 6)
    probabilities = np.maximum.accumulate(np.array(list(knots.values())))
    return Calibration(tuple(knots), tuple(float(p) for p in probabilities))


def _mean(block: tuple[float, float, float]) -> float:
    return block[1] / block[2]


def _edges(ordered_labels: Floats, bins_max: int) -> list[int]:
    """Borders of bins that hold about equally many failures: fine where the failures are, coarse where they are not."""
    total = len(ordered_labels)
    share = np.cumsum(ordered_labels + ordered_labels.mean()) / max(2 * ordered_labels.sum(), 1e-9)
    inner = np.searchsorted(share, np.linspace(0, 1, bins_max + 1)[1:-1])
    return sorted({0, total, *(int(i) for i in inner if 0 < i < total)})
