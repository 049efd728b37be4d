"""A challenger is promoted for what it surely does better on later traffic, and for nothing else."""

import numpy as np
import pytest
from tests.predict.registry.making import blind, knowing, system

from foregate.predict.evaluate.exam import Exam, exam_of
from foregate.predict.evaluate.paging import sweep, threshold_for
from foregate.predict.registry.comparison import Answers, Comparison, Gain, by_day, compare

BUDGET = 0.5


def answers(exam: Exam, scores: np.ndarray) -> Answers:
    said = exam.answers([scores])
    return Answers(said, threshold_for(sweep(exam, said), BUDGET))


def verdict(entities: int, warned: float, challenger: str, *, days: float = 4.0, seed: int = 1) -> Comparison:
    traffic = system(entities, days, seed=seed, warned=warned)
    exam = exam_of([traffic], 900)
    known = {"knowing": knowing(traffic), "blind": blind(traffic), "other blind": blind(traffic, 7)}
    return compare(exam, {n: answers(exam, s) for n, s in known.items()}, challenger, budget=BUDGET, seed=0)


@pytest.mark.parametrize("entities", [12, 3])
def test_who_sees_the_failures_coming_is_better_than_who_does_not(entities: int) -> None:
    found = verdict(entities, 1.0, "knowing")
    assert found.better, found.reason
    assert found.figures["knowing"].recall > 0.9
    assert found.figures["knowing"].false_per_day <= BUDGET
    assert all(gain.pr_auc_low > 0.2 for gain in found.gains)
    assert "better than all others; nearest comes" in found.reason


@pytest.mark.parametrize("entities", [12, 3])
def test_who_knows_nothing_is_not_promoted_and_the_reason_names_the_better_one(entities: int) -> None:
    found = verdict(entities, 1.0, "blind")
    assert not found.better
    assert found.reason.startswith("not surely better than knowing: PR-AUC 0.")


def test_equals_are_not_better_in_any_of_six_worlds() -> None:
    assert not any(verdict(6, 0.0, "blind", days=2.0, seed=seed).better for seed in range(6))


def test_one_lucky_api_does_not_decide_it() -> None:
    traffic = system(12, 4.0, seed=3)
    exam = exam_of([traffic], 900)
    lucky = blind(traffic)
    lucky[0] = knowing(traffic)[0]
    found = compare(
        exam, {"lucky": answers(exam, lucky), "blind": answers(exam, blind(traffic))}, "lucky", budget=BUDGET, seed=0
    )
    assert found.gains[0].pr_auc > 0
    assert not found.better


def test_who_alarms_more_often_for_nothing_than_it_may_is_refused() -> None:
    traffic = system(12, 4.0, seed=1)
    exam = exam_of([traffic], 900)
    loud = Answers(answers(exam, knowing(traffic)).scores, 1.05)
    found = compare(exam, {"loud": loud, "blind": answers(exam, blind(traffic))}, "loud", budget=BUDGET, seed=0)
    assert not found.better
    assert "more than 1.25 times the budget of 0.5" in found.reason


def test_days_apart_lose_no_moment_and_no_failure() -> None:
    exam = exam_of([system(3, 4.0, seed=2)], 900)
    apart = by_day(exam)
    assert apart.rows == 12
    assert apart.days.sum() == pytest.approx(exam.days.sum())
    assert apart.events.sum() == exam.events.sum() > 5
    assert (apart.days <= 1.0).all()


def test_the_same_traffic_and_seed_give_the_same_verdict() -> None:
    first, second = (verdict(4, 0.5, "knowing", days=2.0) for _ in range(2))
    assert first.gains == second.gains


@pytest.mark.parametrize(
    ("gain", "better"),
    [
        (Gain("x", 0.05, 0.01, 0.0, -0.04), True),
        (Gain("x", 0.05, 0.01, 0.0, -0.06), False),
        (Gain("x", 0.05, 0.01, -0.01, 0.0), False),
        (Gain("x", 0.05, 0.01, -0.2, -0.3, loud=True), True),
        (Gain("x", 0.05, 0.0, 0.1, 0.05), False),
        (Gain("x", 0.009, 0.001, 0.1, 0.05), False),
    ],
)
def test_ahead_is_who_surely_ranks_better_and_does_not_foresee_less(gain: Gain, better: bool) -> None:
    assert gain.better == better


def test_the_recall_that_a_loud_score_has_bought_does_not_count() -> None:
    traffic = system(12, 4.0, seed=1, warned=0.3)
    exam = exam_of([traffic], 900)
    quiet = answers(exam, knowing(traffic))
    found = compare(
        exam,
        {"quiet": quiet, "loud": Answers(answers(exam, blind(traffic)).scores, 0.9)},
        "quiet",
        budget=BUDGET,
        seed=0,
    )
    assert found.figures["loud"].recall > found.figures["quiet"].recall
    assert found.gains[0].loud
    assert found.better
