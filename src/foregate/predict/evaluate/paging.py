"""Pages: what a threshold on a score does to those who are called, and which threshold keeps their nights.

A page is valid for one horizon; within it the same API does not page again, after it it does: one endless alarm cannot
win. A page is false when no failure begins within its horizon. A failure is foreseen by a page at least two minutes
before its first bad minute; a later page is neither a hit nor false.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from foregate.predict.evaluate.exam import Exam, Floats
from foregate.predict.evaluate.truth import LEAD_MIN, Bools, Ints

BUDGETS: Final = (0.1, 0.5, 2.0)  # false alarms per API and day
DETAIL_AT: Final = 0.5  # of these, at which failures are told apart by their causes and by what was measured
CANDIDATES: Final = 96  # thresholds that are tried
RATE_MAX: Final = 10.0  # false alarms per API and day; thresholds beyond are not tried


@dataclass(frozen=True, slots=True, eq=False)
class Paging:
    """What a threshold does. Per entity (R,): `pages`, `false`, `right` (at least two minutes ahead of a failure).

    Per failure (K,): `lead`, the minutes from the first page in time to the failure, −1 when there was none; `before`:
    paged before it began, however shortly.
    """

    pages: Ints
    false: Ints
    right: Ints
    lead: Ints
    before: Bools

    @property
    def hit(self) -> Bools:
        found: Bools = self.lead >= 0
        return found


def page_moments(exam: Exam, scores: Floats, threshold: float | Floats) -> Ints:
    """Which moments page: the first with a score ≥ threshold, and again once the horizon of the last page is over.

    `threshold`: one for all, or one per moment (n,).
    """
    above = np.flatnonzero(scores >= threshold)
    if not above.size:
        return above
    keys = exam.key[above]
    following = np.searchsorted(keys, keys + exam.horizon_min).tolist()
    chosen: list[int] = []
    at = 0
    while at < len(following):
        chosen.append(at)
        at = following[at]
    return above[chosen]


def paging(exam: Exam, scores: Floats, threshold: float | Floats) -> Paging:
    """Replay the paging rule over every entity."""
    paged = page_moments(exam, scores, threshold)
    rows, keys = exam.row[paged], exam.key[paged]
    right = _failure_within(exam, keys, LEAD_MIN + 1)
    lead = _lead(exam, keys, LEAD_MIN)
    return Paging(
        pages=np.bincount(rows, minlength=exam.rows),
        false=np.bincount(rows[~exam.label[paged]], minlength=exam.rows),
        right=np.bincount(rows[right], minlength=exam.rows),
        lead=lead,
        before=_lead(exam, keys, 1) >= 0,
    )


def _failure_within(exam: Exam, keys: Ints, from_min: int) -> Bools:
    """Per page: whether a failure begins in the minutes from `from_min` to a horizon after it."""
    low = np.searchsorted(exam.onset_key, keys + from_min)
    high = np.searchsorted(exam.onset_key, keys + exam.horizon_min, side="right")
    found: Bools = high > low
    return found


def _lead(exam: Exam, keys: Ints, lead_min: int) -> Ints:
    """Per failure: minutes between the first page that is still valid and the failure, −1 below `lead_min`."""
    if not keys.size:
        return np.full(len(exam.onset_key), -1)
    at = np.searchsorted(keys, exam.onset_key - exam.horizon_min)
    lead = exam.onset_key - (keys[np.minimum(at, len(keys) - 1)] + 1)
    return np.where((at < len(keys)) & (lead >= lead_min), lead, -1)


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """T thresholds, falling: the false alarms of each system (T, S), the share of the failures foreseen (T,)."""

    thresholds: Floats
    false: Ints
    days: Floats  # of each system, (S,)
    recall: Floats

    @property
    def rate(self) -> Floats:
        """False alarms per API and day, (T,)."""
        rate: Floats = self.false.sum(axis=1) / max(float(self.days.sum()), 1e-9)
        return rate


def sweep(exam: Exam, scores: Floats) -> Sweep:
    """Try thresholds, quantiles of the scores, from the highest down to where `RATE_MAX` is passed."""
    systems = len(exam.names)
    days = np.bincount(exam.system, exam.days, minlength=systems).astype(np.float64)
    tried: list[float] = []
    false: list[Ints] = []
    recall: list[float] = []
    for threshold in _candidates(scores):
        at = paging(exam, scores, float(threshold))
        tried.append(float(threshold))
        false.append(np.bincount(exam.system, at.false, minlength=systems).astype(np.int64))
        recall.append(float(at.hit[exam.counted].mean()) if exam.counted.any() else 0.0)
        if false[-1].sum() > RATE_MAX * days.sum():
            break
    table = np.stack(false) if false else np.zeros((0, systems), dtype=np.int64)
    return Sweep(np.array(tried), table, days, np.array(recall))


def _candidates(scores: Floats) -> Floats:
    """From high to low. The lowest score of all is none: to page always is no forecast, however long the horizon."""
    said = scores[np.isfinite(scores)]
    if not said.size:
        return said
    shares = np.geomspace(min(1 / len(said), 1e-2), 0.5, CANDIDATES)
    tried: Floats = np.unique(np.quantile(said, 1 - shares, method="higher"))[::-1]
    above: Floats = tried[tried > said.min()]
    return above


def threshold_for(tried: Sweep, budget: float, without: int | None = None) -> float:
    """The lowest threshold that keeps false alarms within `budget` per API and day, ∞ when none does.

    `without`: the number of a system that has no say in it.
    """
    kept = np.arange(len(tried.days)) != (-1 if without is None else without)
    days = float(tried.days[kept].sum())
    if not days:
        return float("inf")
    within = tried.false[:, kept].sum(axis=1) <= budget * days
    return float(tried.thresholds[within].min()) if within.any() else float("inf")
