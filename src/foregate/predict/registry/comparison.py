"""Whether one score is better than others on the same later traffic: paired resamples of APIs, so that a lucky API does
not decide it.

Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 8: what belongs together is drawn together. With
fewer than `CLUSTERS_MIN` APIs an API's days are drawn apart: three APIs alone have but ten different resamples.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from foregate.predict.evaluate.exam import MINUTES_PER_DAY, Exam
from foregate.predict.evaluate.intervals import RESAMPLES, Resamples
from foregate.predict.evaluate.paging import paging
from foregate.predict.evaluate.scores import average_precision

CERTAINTY: Final = 0.975  # one-sided: two scores that know nothing pass for better once in forty times
CLUSTERS_MIN: Final = 10
WORTH: Final = 0.01  # of PR-AUC: for less no model is exchanged, however sure it is
RECALL_MARGIN: Final = 0.05  # by so much recall may be lower in the worst of 40 resamples: failures are few
FALSE_ALARMS_FACTOR: Final = 1.25  # realised ≤ so many times the budget

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """One score: its values at the exam's moments (n,), and the threshold that was chosen on earlier traffic."""

    scores: Floats
    threshold: float


class Figures(msgspec.Struct, frozen=True):
    """What a score did on the later part; recall and false alarms (per API and day) at its threshold."""

    pr_auc: float
    recall: float
    false_per_day: float


class Gain(msgspec.Struct, frozen=True):
    """By how much the challenger is ahead of one other score; `*_low`: so much at least, in 39 of 40 resamples.

    `loud`: the other one alarms more often for nothing than it may, so that its recall is bought and does not count.
    """

    other: str
    pr_auc: float
    pr_auc_low: float
    recall: float
    recall_low: float
    loud: bool = False

    @property
    def better(self) -> bool:
        """Surely ahead in ranking, by what is worth it, and surely not behind in failures foreseen at the budget."""
        ranks = self.pr_auc >= WORTH and self.pr_auc_low > 0
        return ranks and (self.loud or (self.recall >= 0 and self.recall_low >= -RECALL_MARGIN))


@dataclass(frozen=True, slots=True)
class Comparison:
    """The verdict on a challenger, with the sentence that gives the reason. `figures`: of all, the challenger's too."""

    better: bool
    reason: str
    gains: tuple[Gain, ...]
    figures: Mapping[str, Figures]


def compare(exam: Exam, answers: Mapping[str, Answers], challenger: str, *, budget: float, seed: int) -> Comparison:
    """Whether the challenger is better than all others, and alarms no more often for nothing than it may.

    `budget`: false alarms per API and day.
    """
    exam = exam if exam.rows >= CLUSTERS_MIN else by_day(exam)
    figures = {name: figures_of(exam, each) for name, each in answers.items()}
    drawn = Resamples.draw(exam.rows, np.random.default_rng(seed))
    resampled = {name: _resampled(exam, each, drawn) for name, each in answers.items()}
    mine = figures[challenger]
    gains = tuple(
        _gain(name, mine, figures[name], resampled[challenger], resampled[name], budget)
        for name in answers
        if name != challenger
    )
    worst = min(gains, key=lambda gain: (gain.better, gain.pr_auc_low))
    if worst.better and mine.false_per_day > FALSE_ALARMS_FACTOR * budget:
        reason = (
            f"it would alarm {mine.false_per_day:.2f} times per API and day for nothing, "
            f"more than {FALSE_ALARMS_FACTOR:g} times the budget of {budget:g}"
        )
        return Comparison(better=False, reason=reason, gains=gains, figures=figures)
    return Comparison(worst.better, _sentence(mine, figures[worst.other], worst), gains, figures)


def by_day(exam: Exam) -> Exam:
    """The same exam with each day of an API for itself (days count from the API's first moment on)."""
    first = np.full(exam.rows, np.iinfo(np.int64).max)
    np.minimum.at(first, exam.row, exam.key)
    np.minimum.at(first, exam.onset_row, exam.onset_key)
    day = (exam.key - first[exam.row]) // MINUTES_PER_DAY
    onset_day = (exam.onset_key - first[exam.onset_row]) // MINUTES_PER_DAY
    days = int(max(day.max(initial=0), onset_day.max(initial=0))) + 1
    return replace(
        exam,
        system=np.repeat(exam.system, days),
        row=exam.row * days + day,
        onset_row=exam.onset_row * days + onset_day,
    )


def figures_of(exam: Exam, answers: Answers) -> Figures:
    """What a score did on an exam."""
    at = paging(exam, answers.scores, answers.threshold)
    return Figures(
        pr_auc=average_precision(exam.label, answers.scores),
        recall=float(at.hit[exam.counted].mean()) if exam.counted.any() else 0.0,
        false_per_day=float(at.false.sum() / max(float(exam.days.sum()), 1e-9)),
    )


def _resampled(exam: Exam, answers: Answers, drawn: Resamples) -> tuple[Floats, Floats]:
    """PR-AUC and recall of every resample; NaN in those without a failure."""
    hit = paging(exam, answers.scores, answers.threshold).hit & exam.counted
    hits = np.bincount(exam.onset_row[hit], minlength=exam.rows).astype(np.float64)
    return drawn.average_precision(exam, answers.scores), drawn.ratio(hits, exam.events.astype(np.float64))


def _gain(
    name: str, mine: Figures, other: Figures, drawn: tuple[Floats, Floats], theirs: tuple[Floats, Floats], budget: float
) -> Gain:
    return Gain(
        name,
        mine.pr_auc - other.pr_auc,
        _low(drawn[0] - theirs[0]),
        mine.recall - other.recall,
        _low(drawn[1] - theirs[1]),
        loud=other.false_per_day > FALSE_ALARMS_FACTOR * budget,
    )


def _low(differences: Floats) -> float:
    """Where no resample holds a failure nothing is sure: then −1, the most that can be lost."""
    known = differences[np.isfinite(differences)]
    return float(np.quantile(known, 1 - CERTAINTY)) if known.size else -1.0


def _sentence(mine: Figures, other: Figures, gain: Gain) -> str:
    figures = (
        f"PR-AUC {mine.pr_auc:.3f} against {other.pr_auc:.3f} (difference at least {gain.pr_auc_low:+.3f}), "
        f"recall {mine.recall:.2f} against {other.recall:.2f} (at least {gain.recall_low:+.2f}; "
        f"{CERTAINTY:.1%} of {RESAMPLES:,} resamples)"
    )
    if gain.better:
        return f"better than all others; nearest comes {gain.other}: {figures}"
    return f"not surely better than {gain.other}: {figures}"
