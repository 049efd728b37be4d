"""How sure a difference between two scores is: endpoints, or whole sources, drawn anew, the same for both scores."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.checks.judge import Pages, endpoint_days, within
from foregate.predict.evaluate.checks.load import Floats
from foregate.predict.evaluate.checks.moments import Moments

RESAMPLES: Final = 2_000
_BINS: Final = 2_000  # of a score, finest where it is highest: what the area under the curve is made of


def drawn(groups: NDArray[np.int64], seed: int) -> Floats:
    """How often each endpoint is in each resample, shape (RESAMPLES, endpoints). Groups (≥ 0) are drawn as wholes."""
    used = np.unique(groups[groups >= 0])
    generator = np.random.default_rng(seed)
    times = generator.multinomial(len(used), np.full(len(used), 1.0 / len(used)), size=RESAMPLES)
    weights = np.zeros((RESAMPLES, len(groups)))
    inside = groups >= 0
    weights[:, inside] = times[:, np.searchsorted(used, groups[inside])]
    return weights


def precisions(moments: Moments, scores: Floats, weights: Floats) -> Floats:
    """PR-AUC of each resample, shape (resamples,); scores of one bin count as tied. NaN without a positive."""
    edges = np.unique(np.quantile(scores, 1 - np.geomspace(1e-5, 1.0, _BINS), method="inverted_cdf"))
    bins = len(edges) - np.searchsorted(edges, scores, side="right")  # the lowest edge is the lowest score
    cell = moments.endpoint * len(edges) + bins
    shape = (moments.endpoints, len(edges))
    hits = np.bincount(cell, weights=moments.label, minlength=shape[0] * shape[1]).reshape(shape)
    seen = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape).astype(np.float64)
    above = np.cumsum(weights @ hits, axis=1)
    precision = above / np.maximum(np.cumsum(weights @ seen, axis=1), 1e-12)
    area = (np.diff(above, axis=1, prepend=0.0) * precision).sum(axis=1)
    return np.where(above[:, -1] > 0, area / np.maximum(above[:, -1], 1e-12), np.nan)


def recalls_at(moments: Moments, pages: Pages, weights: Floats, budget: float) -> Floats:
    """Recall of each resample at the threshold that meets the budget in it, shape (resamples,)."""
    days = weights @ endpoint_days(moments)
    rate = (weights @ pages.false.T) / np.maximum(days, 1e-9)[:, None]
    recall = _share(weights @ pages.hits.T, weights @ events(moments))
    return np.take_along_axis(recall, within(rate, budget)[:, None], axis=1)[:, 0]


def recalls(moments: Moments, hits: Floats, weights: Floats) -> Floats:
    """Recall of each resample, of hits per endpoint at thresholds that are given, shape (resamples,)."""
    return _share((weights @ hits)[:, None], weights @ events(moments))[:, 0]


def events(moments: Moments) -> Floats:
    """The failures that count, per endpoint."""
    return np.array([len(onset_s) for onset_s, _ in moments.onsets], dtype=np.float64)


def _share(hits: Floats, of: Floats) -> Floats:
    result: Floats = np.where(of > 0, 1.0, np.nan)[:, None] * hits / np.maximum(of, 1e-12)[:, None]
    return result


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle 95 % of a difference over the resamples, and the share of them above zero."""

    low: float
    high: float
    above_zero: float


def spread(difference: Floats) -> Spread:
    """Resamples that hold no failure say nothing and are left out."""
    said = difference[np.isfinite(difference)]
    if not len(said):
        return Spread(0.0, 0.0, 0.0)
    low, high = np.percentile(said, [2.5, 97.5])
    return Spread(float(low), float(high), float((said > 0).mean()))
