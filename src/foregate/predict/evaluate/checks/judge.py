"""What a score is worth: pages under a false-alarm budget, precision-recall and Brier on moments."""

from bisect import bisect_left
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.checks.load import Floats
from foregate.predict.evaluate.checks.moments import LEAD_S_MIN, Moments
from foregate.predict.evaluate.checks.timeline import DAY_S, HOUR_S

BUDGETS: Final = (0.1, 0.5, 2.0)  # false alarms per endpoint and day
THRESHOLDS: Final = 240  # a page more per outage is a jump: with fewer candidates a score may stop far below its budget


@dataclass(frozen=True, slots=True, eq=False)
class Pages:
    """What thresholds do to each endpoint; arrays of shape (thresholds, endpoints), each page valid for one horizon.

    `false`: pages that no onset follows. `right`: pages at least 2 min ahead of one. `hits`: counted onsets that such
    a page announced. `first_hits`: those that were the endpoint's first. `leads_s`: per threshold, of all hits.
    """

    thresholds: Floats
    pages: Floats
    false: Floats
    right: Floats
    hits: Floats
    first_hits: Floats
    leads_s: tuple[Floats, ...]


def replay(moments: Moments, scores: Floats, thresholds: Floats, false_per_day_max: float = np.inf) -> Pages:
    """Page by every threshold: at the first score ≥ threshold, and again once the last page's horizon is over.

    Thresholds from high to low; those after the first that exceeds `false_per_day_max` are left out.
    """
    false_max = false_per_day_max * float(endpoint_days(moments).sum())
    shape = (len(thresholds), moments.endpoints)
    counts = {name: np.zeros(shape) for name in ("pages", "false", "right", "hits", "first_hits")}
    bounds = np.searchsorted(moments.endpoint, np.arange(moments.endpoints + 1))
    leads: list[Floats] = []
    for k, threshold in enumerate(thresholds):
        found = []
        above = np.flatnonzero(scores >= threshold)
        cuts = np.searchsorted(above, bounds)
        for e in range(moments.endpoints):
            if cuts[e] == cuts[e + 1]:
                continue
            paged = _paged(moments.time_s, above[cuts[e] : cuts[e + 1]], moments.horizon_s)
            after = moments.after_s[paged]
            right = (after >= LEAD_S_MIN) & (after <= moments.horizon_s)
            counts["pages"][k, e] = len(paged)
            counts["false"][k, e] = (after > moments.horizon_s).sum()
            counts["right"][k, e] = right.sum()
            lead, first = _hits(moments, e, moments.time_s[paged])
            counts["hits"][k, e], counts["first_hits"][k, e] = len(lead), first
            found.append(lead)
        leads.append(np.concatenate([*found, np.zeros(0)]))
        if counts["false"][k].sum() > false_max:
            break
    done = len(leads)
    return Pages(thresholds[:done], leads_s=tuple(leads), **{name: table[:done] for name, table in counts.items()})


def _paged(time_s: Floats, above: NDArray[np.intp], horizon_s: float) -> NDArray[np.intp]:
    times = time_s[above].tolist()
    chosen = []
    at = 0
    while at < len(times):
        chosen.append(at)
        at = bisect_left(times, times[at] + horizon_s, at)
    return above[chosen]


def _hits(moments: Moments, endpoint: int, page_s: Floats) -> tuple[Floats, int]:
    """The leads of this endpoint's counted onsets that a valid page announced; how many were its first failure."""
    onset_s, first = moments.onsets[endpoint]
    earliest = np.searchsorted(page_s, onset_s - moments.horizon_s)  # pages lie a horizon apart: the earliest valid one
    page = np.append(page_s, np.inf)[earliest]
    hit = onset_s - page >= LEAD_S_MIN
    return (onset_s - page)[hit], int(hit[first].sum())


def endpoint_days(moments: Moments) -> Floats:
    """Days of scored moments of each endpoint."""
    return np.bincount(moments.endpoint, minlength=moments.endpoints).astype(np.float64) * (HOUR_S / DAY_S)


def thresholds_of(scores: Floats) -> Floats:
    """Candidates from high to low, dense where alarms are rare; the first is infinite (never)."""
    quantiles = np.quantile(scores, 1 - np.geomspace(2e-5, 0.6, THRESHOLDS), method="inverted_cdf")
    lowest = scores.min()
    candidates = np.unique(quantiles)[::-1]
    return np.concatenate([[np.inf], candidates[candidates > lowest]])


def threshold_for(pages: Pages, false: Floats, days: float, budget: float) -> float:
    """The lowest threshold such that neither it nor a higher one exceeds `budget` false alarms per endpoint and day.

    `false`: false alarms per threshold. Infinite when no threshold meets the budget.
    """
    return float(pages.thresholds[within(false / max(days, 1e-9), budget)])


def within(false_per_day: Floats, budget: float) -> NDArray[np.intp]:
    """Along the last axis, thresholds from high to low: the index of the last before the budget is first exceeded."""
    result: NDArray[np.intp] = np.cumprod(false_per_day <= budget, axis=-1).sum(axis=-1) - 1
    return result


def average_precision(labels: Floats, scores: Floats) -> float:
    """Area under the precision-recall curve as a step sum; ties are one step. The base rate for a random score."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    hits = np.cumsum(labels[order])[last]
    return steps(hits, np.flatnonzero(last).astype(np.float64) + 1.0)


def steps(hits: Floats, seen: Floats) -> float:
    """The step sum from positives and moments above each threshold, both cumulative; 0 without a positive."""
    if hits[-1] <= 0:
        return 0.0
    return float((np.diff(hits, prepend=0.0) * hits / np.maximum(seen, 1e-12)).sum() / hits[-1])


def brier(labels: Floats, probabilities: Floats) -> float:
    """Mean squared error of the probabilities; the base rate alone gives p·(1 − p)."""
    return float(((probabilities - labels) ** 2).mean())
