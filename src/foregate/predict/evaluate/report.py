"""The report of a model and its baselines on runs that neither was chosen on."""

from collections import Counter

import msgspec
import numpy as np

from foregate.predict.evaluate.dataset import Examples
from foregate.predict.evaluate.protocol import (
    BUDGETS,
    Paging,
    average_precision,
    brier,
    paging,
    reliability,
    threshold_for,
)
from foregate.predict.evaluate.tick_baselines import BASELINES
from foregate.predict.history import Floats

FIXED_THRESHOLDS = (0.5, 0.8)
CAUSE_EVENTS_MIN = 3  # with fewer failures of a kind no word is said about whether it can be foreseen
FORESEEABLE_RECALL = 0.5


class AtBudget(msgspec.Struct, frozen=True):
    """A threshold chosen on the validation runs for a budget, and what it does on the test runs."""

    budget_per_day: float | None  # None for a fixed threshold
    threshold: float | None  # None when no threshold meets the budget
    recall: float
    before: float  # share of the failures alarmed before they begin, however shortly
    precision: float | None
    false_per_day: float
    median_lead_s: float | None
    pages: int


class ScorerReport(msgspec.Struct, frozen=True):
    """One way of scoring: its PR-AUC on moments, and its pages at each budget."""

    name: str
    pr_auc: float
    budgets: tuple[AtBudget, ...]


class Report(msgspec.Struct, frozen=True):
    """Everything measured on the test runs.

    `by_cause`: kind → failures, and how many of them were foreseen at the 0.5 budget and at `FIXED_THRESHOLDS`.
    """

    moments: int
    base_rate: float
    runs: int
    series: int
    api_days: float
    failures: int
    model: ScorerReport
    baselines: tuple[ScorerReport, ...]
    fixed: tuple[AtBudget, ...]  # at `FIXED_THRESHOLDS`
    brier: float
    brier_base_rate: float
    reliability: tuple[tuple[float, float, int], ...]
    by_cause: dict[str, tuple[int, int, int, int]]

    def foreseeable(self) -> tuple[str, ...]:
        """The kinds of failure of which at least half are foreseen at the lowest of the fixed thresholds."""
        return tuple(
            cause
            for cause, (events, _, hits, _) in sorted(self.by_cause.items())
            if events >= CAUSE_EVENTS_MIN and hits / events >= FORESEEABLE_RECALL
        )


def report(
    validation: Examples,
    test: Examples,
    scores: tuple[Floats, Floats],
    others: dict[str, tuple[Floats, Floats]] | None = None,
) -> Report:
    """Judge the model (`scores`: calibrated probabilities on validation and test) and the baselines beside it.

    `others`: further scorers by name, e.g. the logistic regression. Thresholds are chosen on validation alone.
    """
    pairs = {name: (score(validation), score(test)) for name, score in BASELINES.items()} | (others or {})
    on_test = scores[1]
    half = threshold_for(validation, scores[0], 0.5)
    fixed = [paging(test, on_test, threshold) for threshold in FIXED_THRESHOLDS]
    base = test.base_rate
    return Report(
        moments=len(test.label),
        base_rate=base,
        runs=test.runs,
        series=len(np.unique(test.series)),
        api_days=fixed[0].api_days,
        failures=test.failures,
        model=_scorer("foregate", validation, test, scores),
        baselines=tuple(_scorer(name, validation, test, pair) for name, pair in pairs.items()),
        fixed=tuple(_at(None, p) for p in fixed),
        brier=brier(test.label, on_test),
        brier_base_rate=base * (1 - base),
        reliability=tuple(reliability(test.label, on_test)),
        by_cause=_by_cause(test, [paging(test, on_test, half), *fixed]),
    )


def _scorer(name: str, validation: Examples, test: Examples, scores: tuple[Floats, Floats]) -> ScorerReport:
    at = tuple(_at(b, paging(test, scores[1], threshold_for(validation, scores[0], b))) for b in BUDGETS)
    return ScorerReport(name, average_precision(test.label, scores[1]), at)


def _at(budget: float | None, p: Paging) -> AtBudget:
    threshold = p.threshold if np.isfinite(p.threshold) else None
    return AtBudget(
        budget, threshold, p.recall, p.before / max(p.events, 1), p.precision, p.false_per_day, p.median_lead_s, p.pages
    )


def _by_cause(test: Examples, pages: list[Paging]) -> dict[str, tuple[int, int, int, int]]:
    events = Counter(onset.cause or "none" for onset in test.onsets if onset.counted)
    budget, low, high = (Counter(cause or "none" for cause in p.hit_causes) for p in pages)
    return {cause: (n, budget[cause], low[cause], high[cause]) for cause, n in sorted(events.items())}
