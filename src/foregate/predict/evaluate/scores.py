"""Numbers of a score on moments: ranking (precision and recall) and calibration (Brier, reliability)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_] | Floats
TENTHS: Final = tuple(i / 10 for i in range(11))
# Failures are rare: most probabilities are below a tenth, and there it matters whether 1 in 100 or 1 in 20 is meant.
RARE: Final = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def average_precision(labels: Labels, scores: Floats) -> float:
    """Area under the precision-recall curve as a step sum; ties count as one step. The base rate for a random score."""
    positives = labels.sum()
    if not positives:
        return 0.0
    recall, precision = precision_recall(labels, scores)
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def roc_auc(labels: Labels, scores: Floats) -> float:
    """Chance that a positive is ranked above a negative, ties counting half; 0.5 where one of them is missing."""
    positive = labels.astype(bool)
    _, of, times = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(times) - (times - 1) / 2)[of]  # the mean rank of each run of equal scores
    hits, misses = int(positive.sum()), int((~positive).sum())
    if not hits or not misses:
        return 0.5
    return float((ranks[positive].sum() - hits * (hits + 1) / 2) / (hits * misses))


def precision_recall(labels: Labels, scores: Floats) -> tuple[Floats, Floats]:
    """(recall, precision) at every distinct score, from the highest down; ties count as one step."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(labels[order], dtype=np.float64)
    ranked = scores[order]
    last = np.append(ranked[1:] != ranked[:-1], True)  # the last of each run of equal scores
    hits, seen = hits[last], np.flatnonzero(last) + 1.0
    return hits / max(float(hits[-1]), 1.0), hits / seen


def thinned_curve(recall: Floats, precision: Floats, points: int) -> list[tuple[float, float]]:
    """The curve at about `points` places, evenly spaced in recall."""
    at = np.unique(np.searchsorted(recall, np.linspace(0.0, 1.0, points)).clip(0, len(recall) - 1))
    return [(round(float(recall[i]), 5), round(float(precision[i]), 5)) for i in at]


def brier(labels: Labels, probabilities: Floats) -> float:
    """Mean squared error of the probabilities: lower is better; the base rate alone gives p·(1 − p)."""
    return float(((probabilities - labels.astype(np.float64)) ** 2).mean())


def reliability(
    labels: Labels, probabilities: Floats, edges: tuple[float, ...] = TENTHS
) -> list[tuple[float, float, int]]:
    """Per bin of predicted probability: (mean predicted, observed share, moments), empty bins left out."""
    bins = np.clip(np.searchsorted(edges, probabilities, side="right") - 1, 0, len(edges) - 2)
    return [
        (float(probabilities[bins == b].mean()), float(labels[bins == b].mean()), int((bins == b).sum()))
        for b in range(len(edges) - 1)
        if (bins == b).any()
    ]
