"""Nothing of a source reaches its own scores or thresholds."""

from dataclasses import replace

import numpy as np
import pytest
from tests.predict.evaluate.checks.history import HEADER, excited

from foregate.predict.evaluate.checks import hazard
from foregate.predict.evaluate.checks.baselines import BASELINES, persistence
from foregate.predict.evaluate.checks.heldout import crossed, trained, untrained
from foregate.predict.evaluate.checks.judge import average_precision
from foregate.predict.evaluate.checks.learners import LEARNERS, self_exciting
from foregate.predict.evaluate.checks.load import parse
from foregate.predict.evaluate.checks.moments import Moments, moments
from foregate.predict.evaluate.checks.timeline import sources


@pytest.fixture(scope="module")
def found() -> Moments:
    return moments(sources(parse([HEADER, *excited(seed=3, sources=4, count=30)]).histories), 6)


def turned(found: Moments, source: int) -> Moments:
    """The same moments, but in one source every label is its opposite."""
    theirs = found.source == source
    after_s = np.where(theirs & (found.label > 0), 1e9, np.where(theirs, 3600.0, found.after_s))
    return replace(found, label=np.where(theirs, 1 - found.label, found.label), after_s=after_s)


@pytest.mark.parametrize("name", ["self-exciting hazard", "logistic regression"])
def test_a_sources_own_failures_change_neither_its_scores_nor_its_thresholds(found: Moments, name: str) -> None:
    one = trained(found, LEARNERS[name], 1, lambda: None)
    other = trained(turned(found, 2), LEARNERS[name], 1, lambda: None)
    theirs = found.source == 2
    np.testing.assert_array_equal(one.scores[theirs], other.scores[theirs])
    np.testing.assert_array_equal(one.thresholds[:, 2], other.thresholds[:, 2])
    assert (one.scores[~theirs] != other.scores[~theirs]).any()


def test_the_threshold_of_a_simple_score_is_chosen_by_the_others(found: Moments) -> None:
    one, other = (untrained(m, persistence(m)).thresholds for m in (found, turned(found, 2)))
    np.testing.assert_array_equal(one[:, 2], other[:, 2])
    assert (one != other).any()


def test_the_hazard_beats_persistence_where_failures_excite_failures(found: Moments) -> None:
    scores = crossed(found, self_exciting, 1, np.arange(4))
    assert average_precision(found.label, scores) > 1.05 * average_precision(found.label, persistence(found))


def test_the_hazards_weights_are_never_negative_and_its_probabilities_add_up(found: Moments) -> None:
    weights = hazard.fit(found)
    assert (weights >= 0).all()
    said = hazard.probability(weights, found.features, found.horizon_s)
    assert ((said > 0) & (said < 1)).all()
    assert said.mean() == pytest.approx(found.label.mean(), rel=0.15)


def test_labels_dealt_at_random_give_the_base_rate(found: Moments) -> None:
    dealt = np.random.default_rng(2).permutation(found.label)
    blind = crossed(replace(found, label=dealt), self_exciting, 1, np.arange(4))
    assert average_precision(dealt, blind) == pytest.approx(dealt.mean(), rel=0.25)


def test_every_simple_score_says_something_of_every_moment(found: Moments) -> None:
    for name, score in BASELINES.items():
        said = score(found)
        assert said.shape == found.label.shape, name
        assert np.isfinite(said).all(), name
