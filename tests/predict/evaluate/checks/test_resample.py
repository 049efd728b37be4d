"""The interval of a difference: the same draw for both scores, whole groups, and the point it spreads around."""

import numpy as np
import pytest
from tests.predict.evaluate.checks.history import HEADER, excited

from foregate.predict.evaluate.checks.baselines import historical_rate, persistence
from foregate.predict.evaluate.checks.judge import average_precision, replay, thresholds_of
from foregate.predict.evaluate.checks.load import parse
from foregate.predict.evaluate.checks.moments import Moments, moments
from foregate.predict.evaluate.checks.resample import RESAMPLES, drawn, precisions, recalls_at, spread
from foregate.predict.evaluate.checks.timeline import sources


@pytest.fixture(scope="module")
def found() -> Moments:
    return moments(sources(parse([HEADER, *excited(seed=9)]).histories), 6)


def test_groups_are_drawn_as_wholes_and_endpoints_without_a_moment_never() -> None:
    weights = drawn(np.array([0, 0, -1, 1, 2, 2]), seed=1)
    assert weights.shape == (RESAMPLES, 6)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 4] == weights[:, 5]).all()
    assert (weights[:, 2] == 0).all()
    assert (weights[:, [0, 3, 4]].sum(axis=1) == 3).all()


def test_the_draw_of_all_endpoints_once_is_the_measure_itself(found: Moments) -> None:
    once = np.ones((1, found.endpoints))
    for score in (persistence(found), historical_rate(found)):
        exact = average_precision(found.label, score)
        assert precisions(found, score, once)[0] == pytest.approx(exact, abs=2e-3)


def test_recall_at_a_budget_keeps_the_budget_in_every_resample(found: Moments) -> None:
    scores = persistence(found)
    pages = replay(found, scores, thresholds_of(scores))
    weights = drawn(np.arange(found.endpoints), seed=2)
    low, high = (recalls_at(found, pages, weights, budget) for budget in (0.1, 2.0))
    assert ((low >= 0) & (low <= high) & (high <= 1)).all()


def test_a_score_is_no_better_than_itself_and_resamples_without_a_failure_say_nothing() -> None:
    sure = spread(np.array([np.nan, 0.0, 0.0]))
    assert (sure.low, sure.high, sure.above_zero) == (0.0, 0.0, 0.0)
    assert spread(np.array([np.nan])).above_zero == 0.0
