"""Pages under a budget: valid for one horizon, at least two minutes ahead, never one endless alarm."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score
from tests.predict.evaluate.checks.history import T0, days, history

from foregate.predict.evaluate.checks.judge import (
    average_precision,
    endpoint_days,
    replay,
    threshold_for,
    thresholds_of,
    within,
)
from foregate.predict.evaluate.checks.moments import Moments, moments
from foregate.predict.evaluate.checks.timeline import sources

HORIZON_S = 6 * 3600.0


def found() -> Moments:
    """Three days; failures at hours 10.5 and 30.5, each for three hours."""
    records = days(3, (10.5, "down"), (13.5, "up"), (30.5, "down"), (33.5, "up"))
    return moments(sources([history(*records)]), 6)


def alarm(m: Moments, *hours: int) -> np.ndarray:
    return np.isin(m.time_s, T0 + 3600.0 * np.array(hours)).astype(np.float64)


def test_an_endless_alarm_pages_once_a_horizon() -> None:
    m = found()
    pages = replay(m, np.ones(len(m.label)), np.array([0.5]))
    assert pages.pages[0, 0] == 11  # hours 0, 6, 14, 20, 26 and 34 to 66, at 12, 32: down
    assert pages.hits[0, 0] == 2


def test_a_page_is_right_within_its_horizon_and_false_without_an_onset() -> None:
    m = found()
    pages = replay(m, alarm(m, 3, 9, 50), np.array([0.5]))
    assert (pages.pages[0, 0], pages.false[0, 0], pages.right[0, 0], pages.hits[0, 0]) == (3, 2, 1, 1)
    assert pages.first_hits[0, 0] == 1
    assert pages.leads_s[0].tolist() == [1.5 * 3600]


def test_a_page_less_than_two_minutes_ahead_is_neither_a_hit_nor_false() -> None:
    m = found()
    near = replace(m, after_s=np.where(alarm(m, 10) > 0, 60.0, m.after_s))
    near = replace(near, onsets=((np.array([T0 + 36_060.0]), np.array([True])),))
    pages = replay(near, alarm(m, 10), np.array([0.5]))
    assert (pages.pages[0, 0], pages.false[0, 0], pages.right[0, 0], pages.hits[0, 0]) == (1, 0, 0, 0)


def test_a_threshold_keeps_its_budget_and_a_blind_score_gets_none() -> None:
    m = found()
    scores = np.random.default_rng(1).random(len(m.label))
    pages = replay(m, scores, thresholds_of(scores))
    days_seen = float(endpoint_days(m).sum())
    for budget in (0.5, 2.0):
        chosen = threshold_for(pages, pages.false.sum(axis=1), days_seen, budget)
        assert replay(m, scores, np.array([chosen])).false.sum() <= budget * days_seen
    blind = np.zeros(len(m.label))
    nothing = replay(m, blind, thresholds_of(blind))
    assert threshold_for(nothing, nothing.false.sum(axis=1), days_seen, 2.0) == np.inf


def test_a_budget_holds_up_to_the_first_threshold_that_breaks_it() -> None:
    assert within(np.array([0.0, 0.05, 0.2, 0.08]), 0.1) == 1


@settings(derandomize=True, deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
def test_average_precision_is_the_known_one_with_ties(rows: list[tuple[bool, int]]) -> None:
    labels = np.array([label for label, _ in rows], dtype=np.float64)
    scores = np.array([score for _, score in rows], dtype=np.float64)
    if labels.any():
        assert average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores))
    else:
        assert average_precision(labels, scores) == 0.0


def test_thresholds_far_beyond_the_budget_are_not_replayed() -> None:
    m = found()
    scores = np.random.default_rng(1).random(len(m.label))
    whole, part = (replay(m, scores, thresholds_of(scores), most) for most in (np.inf, 0.5))
    kept = len(part.thresholds)
    assert kept < len(whole.thresholds)
    np.testing.assert_array_equal(part.false, whole.false[:kept])
    assert part.false[-1].sum() > 0.5 * endpoint_days(m).sum() >= part.false[-2].sum()
