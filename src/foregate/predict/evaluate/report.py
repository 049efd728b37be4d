"""The report of a model and its baselines on runs that neither was chosen on."""

from collections import Counter

import msgspec
import numpy as np

from foregate.predict.evaluate.baselines import BASELINES
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
from foregate.predict.history import Floats

DEFAULT_THRESHOLD = 0.8
CAUSE_EVENTS_MIN = 5  # with fewer failures of a kind no word is said about whether it can be foreseen
FORESEEABLE_RECALL = 0.5


class AtBudget(msgspec.Struct, frozen=True):
    """A threshold chosen on the validation runs for a budget, and what it does on the test runs."""

    budget_per_day: float | None  # None for a fixed threshold
    threshold: float | None  # None when no threshold meets the budget
    recall: float
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
    """Everything measured on the test runs. `recall_by_cause`: kind → (foreseen, failures) at the 0.5 budget."""

    moments: int
    base_rate: float
    runs: int
    series: int
    api_days: float
    failures: int
    model: ScorerReport
    baselines: tuple[ScorerReport, ...]
    default_threshold: AtBudget
    brier: float
    brier_base_rate: float
    reliability: tuple[tuple[float, float, int], ...]
    recall_by_cause: dict[str, tuple[int, int]]
    recall_by_cause_default: dict[str, tuple[int, int]]

    def foreseeable(self) -> tuple[str, ...]:
        """The kinds of failure that this model foresees at least half of at the 0.5 budget."""
        return tuple(
            cause
            for cause, (hits, events) in sorted(self.recall_by_cause.items())
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
    default = paging(test, on_test, DEFAULT_THRESHOLD)
    p = test.base_rate
    return Report(
        moments=len(test.label),
        base_rate=p,
        runs=test.runs,
        series=len(np.unique(test.series)),
        api_days=default.api_days,
        failures=test.failures,
        model=_scorer("foregate", validation, test, scores),
        baselines=tuple(_scorer(name, validation, test, pair) for name, pair in pairs.items()),
        default_threshold=_at(None, default),
        brier=brier(test.label, on_test),
        brier_base_rate=p * (1 - p),
        reliability=tuple(reliability(test.label, on_test)),
        recall_by_cause=_by_cause(test, paging(test, on_test, half)),
        recall_by_cause_default=_by_cause(test, default),
    )


def _scorer(name: str, validation: Examples, test: Examples, scores: tuple[Floats, Floats]) -> ScorerReport:
    at = tuple(_at(b, paging(test, scores[1], threshold_for(validation, scores[0], b))) for b in BUDGETS)
    return ScorerReport(name, average_precision(test.label, scores[1]), at)


def _at(budget: float | None, p: Paging) -> AtBudget:
    threshold = p.threshold if np.isfinite(p.threshold) else None
    return AtBudget(budget, threshold, p.recall, p.precision, p.false_per_day, p.median_lead_s, p.pages)


def _by_cause(test: Examples, p: Paging) -> dict[str, tuple[int, int]]:
    events = Counter(onset.cause or "none" for onset in test.onsets if onset.counted)
    hits = Counter(cause or "none" for cause in p.hit_causes)
    return {cause: (hits[cause], count) for cause, count in sorted(events.items())}
