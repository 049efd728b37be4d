"""From scores and thresholds to the numbers of one contender, and from all contenders' to the result of a part."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from foregate.predict.evaluate.baselines import LEARNED
from foregate.predict.evaluate.contenders import Contender
from foregate.predict.evaluate.exam import Exam, Floats
from foregate.predict.evaluate.intervals import Resamples, interval
from foregate.predict.evaluate.measured import measured_results
from foregate.predict.evaluate.paging import DETAIL_AT, Paging, Sweep, paging, threshold_for
from foregate.predict.evaluate.results import AtBudget, Difference, PartResult, Points, ScorerResult
from foregate.predict.evaluate.scores import (
    RARE,
    average_precision,
    brier,
    precision_recall,
    reliability,
    thinned_curve,
)
from foregate.predict.evaluate.system import System

FIXED: Final = (0.5, 0.8)  # thresholds on probabilities that people set by hand
WITHIN_FACTOR: Final = 1.25
UNKNOWN_CAUSE: Final = "unknown"
_CURVE_POINTS: Final = 101


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """A contender's result, not yet compared; its numbers in every resample, for that; and what it did."""

    result: ScorerResult
    pr_auc: Floats
    recall: tuple[Floats, ...]  # per budget
    pages: Mapping[float, Paging]  # by budget


def mark(
    contender: Contender,
    exam: Exam,
    scores: Floats,
    thresholds: Mapping[float, Floats],
    here: Sweep,
    draws: Resamples,
) -> Marks:
    """`thresholds`: budget → one per moment, (n,); `here`: the same score swept on the exam itself, for the plot."""
    pr_auc = draws.average_precision(exam, scores)
    pages = {budget: paging(exam, scores, of) for budget, of in thresholds.items()}
    recalls = tuple(draws.ratio(_foreseen_by_row(exam, at), exam.events.astype(np.float64)) for at in pages.values())
    budgets = tuple(
        msgspec.structs.replace(_at(exam, at, budget, threshold, interval_of), matched_recall=_matched(here, budget))
        for at, (budget, threshold), interval_of in zip(pages.values(), thresholds.items(), recalls, strict=True)
    )
    mine = contender.probability and not contender.baseline
    said = np.isfinite(scores)
    probable = contender.probability and bool(said.any())
    share = float(exam.label[said].mean()) if said.any() else 0.0
    result = ScorerResult(
        name=contender.name,
        baseline=contender.baseline,
        pr_auc=average_precision(exam.label, scores),
        pr_auc_interval=interval(pr_auc),
        over=None,
        first_pr_auc=average_precision(exam.label[exam.early], scores[exam.early]),
        said=float(said.mean()) if said.size else 0.0,
        brier=brier(exam.label[said], scores[said]) if probable else None,
        brier_base=share * (1 - share) if probable else None,
        reliability=tuple(reliability(exam.label[said], scores[said], RARE)) if probable else (),
        budgets=budgets,
        fixed=tuple(_fixed(exam, scores, threshold, draws) for threshold in FIXED) if mine else (),
        curve=_curve(exam, scores),
        alarms=tuple(
            (round(float(rate), 5), round(float(recall), 5))
            for rate, recall in zip(here.rate, here.recall, strict=True)
        ),
    )
    return Marks(result, pr_auc, recalls, pages)


def _matched(here: Sweep, budget: float) -> float:
    threshold = threshold_for(here, budget)
    return float(here.recall[here.thresholds == threshold][0]) if np.isfinite(threshold) else 0.0


def _fixed(exam: Exam, scores: Floats, threshold: float, draws: Resamples) -> AtBudget:
    at = paging(exam, scores, threshold)
    recall = draws.ratio(_foreseen_by_row(exam, at), exam.events.astype(np.float64))
    return _at(exam, at, None, np.array([threshold]), recall)


def _at(exam: Exam, at: Paging, budget: float | None, threshold: Floats, recall: Floats) -> AtBudget:
    hit, pages, false = at.hit & exam.counted, int(at.pages.sum()), int(at.false.sum())
    failures, days = int(exam.counted.sum()), float(exam.days.sum())
    first = exam.counted & exam.first
    rate = false / days if days else 0.0
    causes = Counter(_named(exam, exam.counted))
    foreseen = Counter(_named(exam, hit))
    middle = float(np.median(threshold)) if threshold.size else float("inf")
    return AtBudget(
        budget=budget,
        threshold=middle if np.isfinite(middle) else None,
        recall=int(hit.sum()) / failures if failures else 0.0,
        recall_interval=interval(recall),
        over=None,
        matched_recall=int(hit.sum()) / failures if failures else 0.0,
        precision=int(at.right.sum()) / pages if pages else None,
        false_per_day=rate,
        within=budget is None or rate <= WITHIN_FACTOR * budget,
        pages=pages,
        failures=failures,
        foreseen=int(hit.sum()),
        before=int((at.before & exam.counted).sum()) / failures if failures else 0.0,
        median_lead_min=float(np.median(at.lead[hit])) if hit.any() else None,
        first_failures=int(first.sum()),
        first_foreseen=int((hit & first).sum()),
        by_cause={cause: (n, foreseen[cause]) for cause, n in sorted(causes.items())},
    )


def _foreseen_by_row(exam: Exam, at: Paging) -> Floats:
    return np.bincount(exam.onset_row[at.hit & exam.counted], minlength=exam.rows).astype(np.float64)


def _named(exam: Exam, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[str]:
    return [exam.causes[i] or UNKNOWN_CAUSE for i in np.flatnonzero(chosen)]


def _curve(exam: Exam, scores: Floats) -> Points:
    if not exam.label.any():
        return ()
    return tuple(thinned_curve(*precision_recall(exam.label, scores), _CURVE_POINTS))


def part_result(
    name: str, systems: Sequence[System], exam: Exam, marks: Sequence[Marks], draws: Resamples
) -> PartResult:
    """All contenders of a part, each compared with the best baseline that it is not itself."""
    learned = [each for each in marks if not each.result.baseline or each.result.name in LEARNED]
    return PartResult(
        name=name,
        systems=len(exam.names),
        entities=exam.rows,
        moments=len(exam.key),
        api_days=float(exam.days.sum()),
        base_rate=exam.base_rate,
        first_base_rate=float(exam.label[exam.early].mean()) if exam.early.any() else 0.0,
        failures=int(exam.counted.sum()),
        first_failures=int((exam.counted & exam.first).sum()),
        causes=dict(sorted(Counter(_named(exam, exam.counted)).items())),
        scorers=tuple(_compared(each, marks) for each in marks),
        by_measured=measured_results(
            systems, exam, {each.result.name: each.pages[DETAIL_AT] for each in learned}, draws
        ),
    )


def _compared(mine: Marks, marks: Sequence[Marks]) -> ScorerResult:
    others = [each for each in marks if each.result.baseline and each is not mine]
    if not others:
        return mine.result
    best = max(others, key=lambda each: each.result.pr_auc)
    budgets = list(mine.result.budgets)
    for i, at in enumerate(budgets):
        rival = max(others, key=lambda each, i=i: each.result.budgets[i].recall)  # type: ignore[misc]
        gained = at.recall - rival.result.budgets[i].recall
        over = Difference(rival.result.name, gained, interval(mine.recall[i] - rival.recall[i]))
        budgets[i] = msgspec.structs.replace(at, over=over)
    over = Difference(best.result.name, mine.result.pr_auc - best.result.pr_auc, interval(mine.pr_auc - best.pr_auc))
    return msgspec.structs.replace(mine.result, over=over, budgets=tuple(budgets))
