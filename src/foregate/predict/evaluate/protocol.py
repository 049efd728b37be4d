"""The honest protocol: pages under a false-alarm budget, events, leads; precision-recall and Brier on moments."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from foregate.predict.evaluate.dataset import Examples, Onset
from foregate.predict.evaluate.scores import average_precision, brier, reliability
from foregate.predict.failures import HORIZON_S, LEAD_S_MIN
from foregate.predict.history import Floats

__all__ = ["BUDGETS", "Paging", "average_precision", "brier", "page_times", "paging", "reliability", "threshold_for"]

BUDGETS: Final = (0.1, 0.5, 2.0)  # false alarms per API and day
_TICK_S = 10.0


@dataclass(frozen=True, slots=True)
class Paging:
    """What a threshold does.

    `hits`: events paged at least 2 min before they begin (`recall`: their share); `before`: events paged before they
    begin, however shortly; `right_pages`: pages 2 min or more ahead of one (`precision`: their share). A page less than
    2 min ahead is neither a hit nor a false alarm. `false_per_day`: per API and day of healthy, scorable time.
    """

    threshold: float
    pages: int
    right_pages: int
    hits: int
    before: int
    false_alarms: int
    events: int
    api_days: float
    median_lead_s: float | None
    hit_causes: tuple[str, ...]

    @property
    def recall(self) -> float:
        return self.hits / self.events if self.events else 0.0

    @property
    def precision(self) -> float | None:
        return self.right_pages / self.pages if self.pages else None

    @property
    def false_per_day(self) -> float:
        return self.false_alarms / self.api_days if self.api_days else 0.0


def page_times(times_s: Floats, scores: Floats, threshold: float, horizon_s: float = HORIZON_S) -> list[float]:
    """When one series pages: at the first score ≥ threshold, and again once the horizon of the last page is over."""
    above = times_s[scores >= threshold]
    pages: list[float] = []
    at = 0
    while at < len(above):
        pages.append(float(above[at]))
        at = int(np.searchsorted(above, above[at] + horizon_s))
    return pages


def paging(examples: Examples, scores: Floats, threshold: float, horizon_s: float = HORIZON_S) -> Paging:
    """Replay the paging rule over every series."""
    order = np.lexsort((examples.time_s, examples.series))
    series, times, ranked = examples.series[order], examples.time_s[order], scores[order]
    onsets: dict[int, list[Onset]] = {}
    for onset in examples.onsets:
        onsets.setdefault(onset.series, []).append(onset)
    pages = right = false_alarms = 0
    leads: dict[tuple[int, float], tuple[float, str]] = {}
    before: set[tuple[int, float]] = set()
    ids, starts = np.unique(series, return_index=True)
    for i, low, high in zip(ids, starts, [*starts[1:], len(series)], strict=True):
        for page_s in page_times(times[low:high], ranked[low:high], threshold, horizon_s):
            pages += 1
            ahead = [o for o in onsets.get(int(i), []) if page_s <= o.onset_s <= page_s + horizon_s]
            false_alarms += not ahead
            right += any(o.onset_s - page_s >= LEAD_S_MIN for o in ahead)
            for onset in ahead:
                if onset.counted and onset.onset_s > page_s:
                    before.add((int(i), onset.onset_s))
                if onset.counted and onset.onset_s - page_s >= LEAD_S_MIN:
                    leads.setdefault((int(i), onset.onset_s), (onset.onset_s - page_s, onset.cause))
    return Paging(
        threshold=float(threshold),
        pages=pages,
        right_pages=right,
        hits=len(leads),
        before=len(before),
        false_alarms=false_alarms,
        events=examples.failures,
        api_days=len(scores) * _TICK_S / 86_400,
        median_lead_s=float(np.median([lead for lead, _ in leads.values()])) if leads else None,
        hit_causes=tuple(cause for _, cause in leads.values()),
    )


def threshold_for(examples: Examples, scores: Floats, budget: float) -> float:
    """The lowest threshold among the scores' quantiles that keeps false alarms within `budget` per API and day.

    Infinite when none does (a score that cannot tell anything apart). Choose it on validation runs only.
    """
    candidates = np.unique(np.quantile(scores, 1 - np.geomspace(1e-5, 0.5, 60)))
    for threshold in candidates:
        if paging(examples, scores, float(threshold)).false_per_day <= budget:
            return float(threshold)
    return float("inf")
