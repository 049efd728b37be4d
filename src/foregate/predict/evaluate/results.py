"""What an evaluation found, as values: for the table, the plots and report.json."""

from typing import Literal

import msgspec

from foregate.predict.evaluate.intervals import Interval

Points = tuple[tuple[float, float], ...]
Which = Literal["none", "any", "all"]  # of some signals


class Difference(msgspec.Struct, frozen=True):
    """How far a score is ahead of the best other baseline, with a paired 95 % interval by API."""

    other: str
    value: float
    interval: Interval | None


class AtBudget(msgspec.Struct, frozen=True):
    """What the threshold for a budget of false alarms, chosen elsewhere, does here.

    `budget`: per API and day, None for a fixed threshold; `threshold`: None when none meets the budget, the median
    where each system has its own. `precision`: share of the pages that are two minutes or more ahead of a failure.
    `before`: share of the failures paged before they began, however shortly. `within`: false alarms ≤ 1.25 × budget.
    `matched_recall`: at the lowest threshold that keeps the budget here, known only afterwards: for comparing scores
    at equal false alarms, not for what to expect.
    `by_cause`: kind of fault → (failures, foreseen).
    """

    budget: float | None
    threshold: float | None
    recall: float
    recall_interval: Interval | None
    over: Difference | None
    matched_recall: float
    precision: float | None
    false_per_day: float
    within: bool
    pages: int
    failures: int
    foreseen: int
    before: float
    median_lead_min: float | None
    first_failures: int
    first_foreseen: int
    by_cause: dict[str, tuple[int, int]]


class ScorerResult(msgspec.Struct, frozen=True):
    """One way of scoring. PR-AUC and Brier are of moments, `budgets` of pages.

    `first_pr_auc`: of moments before their entity's first failure. `said`: share of the moments that got a score.
    `brier`, `brier_base`: on the moments that got one, None where scores are no probabilities. `reliability`: mean
    predicted, observed, moments. `curve`: recall, precision. `alarms`: false alarms per API and day, recall.
    """

    name: str
    baseline: bool
    pr_auc: float
    pr_auc_interval: Interval | None
    over: Difference | None
    first_pr_auc: float
    said: float
    brier: float | None
    brier_base: float | None
    reliability: tuple[tuple[float, float, int], ...]
    budgets: tuple[AtBudget, ...]
    fixed: tuple[AtBudget, ...]
    curve: Points
    alarms: Points


class ForeseenResult(msgspec.Struct, frozen=True):
    """One score in some systems of a part, by its threshold for the whole part. `recall`: None without failures."""

    name: str
    foreseen: int
    recall: float | None
    recall_interval: Interval | None
    false_per_day: float


class MeasuredResult(msgspec.Struct, frozen=True):
    """The systems of a part that measure none, any or all of some signals, at half a false alarm per API and day.

    `scorers`: what the evaluation is about, and the learned baselines.
    """

    signals: tuple[str, ...]
    measured: Which
    systems: int
    api_days: float
    failures: int
    scorers: tuple[ForeseenResult, ...]


class PartResult(msgspec.Struct, frozen=True):
    """All scores on one group of systems, e.g. "unseen". `first_base_rate` belongs to `first_pr_auc`.

    `by_measured`: empty in older reports.
    """

    name: str
    systems: int
    entities: int
    moments: int
    api_days: float
    base_rate: float
    first_base_rate: float
    failures: int
    first_failures: int
    causes: dict[str, int]
    scorers: tuple[ScorerResult, ...]
    by_measured: tuple[MeasuredResult, ...] = ()


class HorizonResult(msgspec.Struct, frozen=True):
    horizon_s: int
    parts: tuple[PartResult, ...]


class Report(msgspec.Struct, frozen=True):
    """`thresholds`: in words, where they were chosen. The same input and seed give the same report."""

    title: str
    seed: int
    thresholds: str
    resamples: int
    horizons: tuple[HorizonResult, ...]
    notes: tuple[str, ...] = ()
