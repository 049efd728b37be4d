"""VUS-PR: the volume under the precision-recall surface over all thresholds and all buffer lengths up to a maximum.

Source: Paparrizos et al., "Volume Under the Surface: A New Accuracy Evaluation Measure for Time-Series Anomaly
Detection", PVLDB 15(11), 2022. A label's borders are never exact, so each labelled range is given a buffer of length l
on either side (l/2 samples, weight √(1 − distance/l); of the nearest range before and after where several overlap); a
hit in the buffer counts by its weight. Recall is multiplied by the share of ranges that were hit at all. For l = 0 this
is the ordinary average precision times that share.

As in the authors' later library, a buffer in which nothing was predicted costs no recall: so the labels themselves,
taken as scores, give exactly 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_FAR = 1 << 40


def vus_pr(score: Floats, label: NDArray[np.bool_], buffer_max: int) -> float:
    """The mean of range-PR-AUC over the buffer lengths 0 … `buffer_max` (samples); NaN without any labelled sample."""
    return float(np.mean(range_pr_auc(score, label, buffer_max)))


def range_pr_auc(score: Floats, label: NDArray[np.bool_], buffer_max: int) -> Floats:
    """Range-PR-AUC for each buffer length 0 … `buffer_max`, shape (buffer_max + 1,).

    `score`: shape (n,), higher is stranger, NaN is read as the lowest score (nothing was said). `label`: shape (n,).
    All distinct scores are thresholds. Deterministic; O(buffer_max · n + n log n).
    """
    if not label.any():
        return np.full(buffer_max + 1, np.nan)
    order, last = _thresholds(score)
    before, after = _distances(label)
    return np.asarray(
        [_area(order, last, label, _weights(label, before, after, buffer)) for buffer in range(buffer_max + 1)]
    )


def runs(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The ranges of True as rows (first, last), both inclusive."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.astype(np.int8), [0]))))
    return np.stack((edges[0::2], edges[1::2] - 1), axis=1).astype(np.int64)


def _thresholds(score: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The samples from the highest score to the lowest, and where each group of equal scores ends in that order."""
    filled = np.where(np.isnan(score), -np.inf, score)
    order = np.argsort(-filled, kind="stable")
    ranked = filled[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    return order.astype(np.int64), last.astype(np.int64)


def _distances(label: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Samples since and until the next labelled one, for each sample; far beyond any buffer where there is none."""
    index = np.arange(len(label))
    before = np.maximum.accumulate(np.where(label, index, -_FAR))
    after = np.minimum.accumulate(np.where(label, index, _FAR)[::-1])[::-1]
    return (index - before).astype(np.int64), (after - index).astype(np.int64)


def _area(order: NDArray[np.int64], last: NDArray[np.int64], label: NDArray[np.bool_], weight: Floats) -> float:
    """Range-PR-AUC of one weighting: Σ precision · (growth of recall), from the highest threshold down."""
    hits = np.cumsum(weight[order])[last]
    buffered = np.cumsum(np.where(label, 0.0, weight)[order])[last]
    positives = float(label.sum()) + buffered / 2
    recall = np.minimum(hits / positives, 1.0) * _existence(order, last, weight > 0)
    precision = hits / (last + 1)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def _weights(label: NDArray[np.bool_], before: NDArray[np.int64], after: NDArray[np.int64], buffer: int) -> Floats:
    if buffer == 0:
        return label.astype(np.float64)
    reach = buffer // 2
    rises = np.where(after <= reach, np.sqrt(np.maximum(1 - after / buffer, 0.0)), 0.0)
    falls = np.where(before <= reach, np.sqrt(np.maximum(1 - before / buffer, 0.0)), 0.0)
    return np.where(label, 1.0, np.minimum(rises + falls, 1.0))


def _existence(order: NDArray[np.int64], last: NDArray[np.int64], mask: NDArray[np.bool_]) -> Floats:
    """The share of (buffered) ranges with at least one sample at or above each threshold."""
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    found = runs(mask)
    bounds = np.column_stack((found[:, 0], found[:, 1] + 1)).ravel()
    first_hit = np.minimum.reduceat(np.append(rank, len(rank)), bounds)[::2]
    met: Floats = np.searchsorted(np.sort(first_hit), last, side="right") / len(found)
    return met
