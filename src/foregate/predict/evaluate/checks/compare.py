"""One set of sources, one horizon: every score beside persistence, with how sure the difference is."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.checks import resample
from foregate.predict.evaluate.checks.heldout import HeldOut, home_of
from foregate.predict.evaluate.checks.judge import (
    BUDGETS,
    Pages,
    average_precision,
    brier,
    endpoint_days,
    replay,
    thresholds_of,
    within,
)
from foregate.predict.evaluate.checks.learners import LEARNERS
from foregate.predict.evaluate.checks.load import Floats
from foregate.predict.evaluate.checks.moments import Moments
from foregate.predict.evaluate.checks.report import AtBudget, Difference, Part, ScorerReport, SourceReport
from foregate.predict.evaluate.checks.timeline import HOUR_S

MODEL: Final = "self-exciting hazard"
PERSISTENCE: Final = "persistence"
MATCHED: Final = 0.1  # false alarms per endpoint and day at which two scores are compared


class Comparison:
    """The scores of all `moments`, judged on those of the `chosen` sources."""

    def __init__(self, moments: Moments, held: Mapping[str, HeldOut], chosen: NDArray[np.bool_], seed: int) -> None:
        mask = chosen[moments.source]
        self.moments = moments.of(mask)
        self.chosen = chosen
        self.scores = {name: one.scores[mask] for name, one in held.items()}
        self.thresholds = {name: one.thresholds for name, one in held.items()}
        self.pages = {name: replay(self.moments, s, thresholds_of(s), 5 * MATCHED) for name, s in self.scores.items()}
        self.days = endpoint_days(self.moments)
        self.home = home_of(self.moments)
        self.failures = resample.events(self.moments)
        self.firsts = np.array([first.sum() for _, first in self.moments.onsets], dtype=np.float64)
        self._seed = seed
        self._transfers: dict[tuple[str, int], Pages] = {}

    def part(self, title: str, shuffled: float) -> Part:
        """Everything said about these sources."""
        m = self.moments
        base = float(m.label.mean())
        return Part(
            title=title,
            horizon_h=round(m.horizon_s / HOUR_S),
            moments=len(m.label),
            base_rate=base,
            fresh_moments=int(m.fresh.sum()),
            fresh_base_rate=float(m.label[m.fresh].mean()) if m.fresh.any() else 0.0,
            endpoints=int((self.days > 0).sum()),
            endpoint_days=float(self.days.sum()),
            failures=int(self.failures.sum()),
            first_failures=int(self.firsts.sum()),
            scorers=tuple(self._scorer(name) for name in self.scores),
            differences=(*self._differences("endpoint"), *self._differences("source")),
            sources=tuple(self._source(int(s)) for s in np.flatnonzero(self.chosen) if (self.home == s).any()),
            brier_base_rate=base * (1 - base),
            shuffled_pr_auc=shuffled,
        )

    def _scorer(self, name: str) -> ScorerReport:
        m, scores, pages = self.moments, self.scores[name], self.pages[name]
        at = self._matched(name)
        return ScorerReport(
            name=name,
            pr_auc=average_precision(m.label, scores),
            fresh_pr_auc=average_precision(m.label[m.fresh], scores[m.fresh]) if m.fresh.any() else 0.0,
            brier=brier(m.label, scores) if name in LEARNERS else None,
            matched_recall=_share(pages.hits[at].sum(), self.failures.sum()),
            matched_first_recall=_share(pages.first_hits[at].sum(), self.firsts.sum()),
            matched_false_per_day=_share(pages.false[at].sum(), self.days.sum()),
            budgets=tuple(self._at(name, b) for b in range(len(BUDGETS))),
        )

    def _matched(self, name: str) -> int:
        """The index of the threshold at which the realised rate on these sources is `MATCHED` or just below."""
        return int(within(self.pages[name].false.sum(axis=1) / max(float(self.days.sum()), 1e-9), MATCHED))

    def _transferred(self, name: str, budget: int) -> Pages:
        """The pages at each source's own threshold, which the others chose; arrays of shape (1, endpoints)."""
        if (name, budget) not in self._transfers:
            above = self.scores[name] >= self.thresholds[name][budget][self.moments.source]
            self._transfers[name, budget] = replay(self.moments, above.astype(np.float64), np.array([0.5]))
        return self._transfers[name, budget]

    def _at(self, name: str, budget: int) -> AtBudget:
        pages = self._transferred(name, budget)
        leads, alarms = pages.leads_s[0], float(pages.pages.sum())
        return AtBudget(
            budget_per_day=BUDGETS[budget],
            recall=_share(pages.hits.sum(), self.failures.sum()),
            first_recall=_share(pages.first_hits.sum(), self.firsts.sum()),
            precision=float(pages.right.sum()) / alarms if alarms else None,
            false_per_day=_share(pages.false.sum(), self.days.sum()),
            median_lead_s=float(np.median(leads)) if len(leads) else None,
            pages=int(alarms),
        )

    def _differences(self, unit: str) -> list[Difference]:
        """Foregate minus persistence in PR-AUC, in recall at the matched rate, and at the transferred thresholds."""
        m = self.moments
        everyone = np.where(self.home >= 0, np.arange(m.endpoints), -1)
        weights = resample.drawn(everyone if unit == "endpoint" else self.home, self._seed)
        once = np.ones((1, m.endpoints))
        found = []
        measures: dict[str, Callable[[str, Floats], Floats]] = {
            "PR-AUC": lambda name, w: resample.precisions(m, self.scores[name], w),
            f"recall at ≤{MATCHED} realised": lambda name, w: resample.recalls_at(m, self.pages[name], w, MATCHED),
            f"recall at budget {BUDGETS[0]}": lambda name, w: resample.recalls(
                m, self._transferred(name, 0).hits[0], w
            ),
        }
        for metric, measure in measures.items():
            sure = resample.spread(measure(MODEL, weights) - measure(PERSISTENCE, weights))
            point = float((measure(MODEL, once) - measure(PERSISTENCE, once))[0])
            found.append(Difference(metric, unit, point, sure.low, sure.high, sure.above_zero))
        return found

    def _source(self, number: int) -> SourceReport:
        m = self.moments
        mine, here = m.source == number, self.home == number
        failures = float(self.failures[here].sum())
        hits = [self.pages[name].hits[self._matched(name)][here].sum() for name in (MODEL, PERSISTENCE)]
        return SourceReport(
            name=m.names[number],
            endpoints=int(here.sum()),
            endpoint_days=float(self.days[here].sum()),
            failures=int(failures),
            base_rate=float(m.label[mine].mean()),
            pr_auc=average_precision(m.label[mine], self.scores[MODEL][mine]),
            persistence_pr_auc=average_precision(m.label[mine], self.scores[PERSISTENCE][mine]),
            recall=_share(hits[0], failures),
            persistence_recall=_share(hits[1], failures),
        )


def _share(part: float | Floats, whole: float | Floats) -> float:
    return float(part) / float(whole) if whole else 0.0
