"""Pages under a budget: what is a hit, what is false, and that no trick wins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.predict.evaluate.making import bad_runs, noisy, scores_at, system

from foregate.predict.evaluate.exam import Exam, exam_of
from foregate.predict.evaluate.paging import BUDGETS, page_moments, paging, sweep, threshold_for


def plain_pages(exam: Exam, scores: np.ndarray, threshold: float) -> list[int]:
    """The paging rule, said slowly."""
    pages: list[int] = []
    valid: dict[int, int] = {}
    for i in range(len(exam.key)):
        if scores[i] >= threshold and exam.key[i] >= valid.get(int(exam.row[i]), 0):
            pages.append(i)
            valid[int(exam.row[i])] = int(exam.key[i]) + exam.horizon_min
    return pages


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.sampled_from([300, 900]))
def test_pages_are_those_of_the_rule_said_slowly(seed: int, horizon_s: int) -> None:
    exam = exam_of(
        [noisy("a", seed, entities=3, minutes=300), noisy("b", seed + 1, entities=2, minutes=200)], horizon_s
    )
    scores = np.random.default_rng(seed).random(len(exam.key))
    scores[::7] = -np.inf
    for threshold in (0.0, 0.5, 0.97):
        assert page_moments(exam, scores, threshold).tolist() == plain_pages(exam, scores, threshold)


def test_to_page_always_is_no_forecast_where_a_page_is_valid_for_a_day() -> None:
    """One page a day keeps two false alarms a day, and would be there before every failure."""
    exam = exam_of([system(minutes=7 * 1440, bad=bad_runs((3000, 3004)))], 86_400)
    assert exam.events.sum() == 1
    assert threshold_for(sweep(exam, np.zeros(len(exam.key))), 2.0) == np.inf


def test_one_endless_alarm_does_not_win() -> None:
    """A page is valid for one horizon, then pages again."""
    of = system(minutes=378, bad=bad_runs((70, 74)))
    exam = exam_of([of], 900)
    at = paging(exam, np.ones(len(exam.key)), 0.5)
    assert at.hit.tolist() == [True]
    assert at.pages.sum() >= 22
    assert at.false.sum() == at.pages.sum() - 1


@pytest.mark.parametrize(
    ("minute", "hit", "before", "false"),
    [
        (44, False, False, 1),  # 15 minutes ahead: the horizon ends as it begins
        (45, True, True, 0),  # 14
        (57, True, True, 0),  # 2
        (58, False, True, 0),  # 1: too late to be a hit, and not false
        (59, False, False, 0),  # as it begins
    ],
)
def test_a_hit_is_within_the_horizon_and_two_minutes_ahead(minute: int, hit: bool, before: bool, false: int) -> None:
    of = system(minutes=200, bad=bad_runs((60, 64)))
    exam = exam_of([of], 900)
    at = paging(exam, exam.answers([scores_at(of, (0, minute))]), 0.5)
    assert (at.hit.tolist(), at.before.tolist(), at.false.sum()) == ([hit], [before], false)
    if hit:
        assert at.lead.tolist() == [60 - (minute + 1)]


def test_an_alarm_of_one_api_foresees_nothing_of_another() -> None:
    of = system(entities=2, minutes=200, bad=bad_runs((60, 64), entity=1))
    exam = exam_of([of], 900)
    at = paging(exam, exam.answers([scores_at(of, (0, 50))]), 0.5)
    assert (at.hit.tolist(), at.false.tolist()) == ([False], [1, 0])


def test_a_moment_without_a_score_never_pages() -> None:
    of = system(minutes=200)
    exam = exam_of([of], 900)
    silent = exam.answers([np.full((1, 200), np.nan)])
    assert not page_moments(exam, silent, -1e300).size
    assert threshold_for(sweep(exam, silent), 2.0) == float("inf")


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_the_chosen_threshold_keeps_the_budget(seed: int) -> None:
    exam = exam_of([noisy("a", seed, minutes=800), noisy("b", seed + 1, minutes=800)], 900)
    scores = np.random.default_rng(seed).normal(size=len(exam.key))
    tried = sweep(exam, scores)
    for budget in BUDGETS:
        chosen = threshold_for(tried, budget)
        assert paging(exam, scores, chosen).false.sum() <= budget * exam.days.sum()


def test_a_left_out_system_has_no_say_in_the_threshold() -> None:
    calm, loud = system("calm", minutes=800), system("loud", minutes=800)
    exam = exam_of([calm, loud], 900)
    moments = [(0, j) for j in range(0, 700, 30)]
    scores = exam.answers([scores_at(calm, *moments, high=0.5), scores_at(loud, *moments)])
    tried = sweep(exam, scores)
    assert threshold_for(tried, 0.5, without=1) == 1.0  # the calm one never reaches it
    assert threshold_for(tried, 0.5, without=0) == float("inf")


def test_a_score_that_never_changes_meets_no_budget() -> None:
    exam = exam_of([noisy("a", 1)], 900)
    assert threshold_for(sweep(exam, np.zeros(len(exam.key))), 2.0) == float("inf")


def test_a_stretch_of_time_is_judged_alone_and_purged() -> None:
    of = noisy("a", 3)
    first, second = exam_of([of], 900, (0.0, 0.5)), exam_of([of], 900, (0.5, 1.0))
    assert first.key.max() < 750 - 15 or first.row[first.key.argmax()] > 0
    assert not set(first.key.tolist()) & set(second.key.tolist())
    assert not (first.counted & second.counted).any()
