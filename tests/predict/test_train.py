"""Training: finds a real signal, is calibrated, repeats to the byte, and nothing leaks."""

import numpy as np
import pytest
from tests.predict.evaluate.making import noisy, system

from foregate.predict.evaluate.exam import exam_of
from foregate.predict.evaluate.scores import average_precision
from foregate.predict.examples import examples
from foregate.predict.failures import HORIZON_S
from foregate.predict.features import FEATURE_NAMES
from foregate.predict.models.model import HORIZONS_S
from foregate.predict.models.scorer import model_scorer
from foregate.predict.train import Fitted, fit

TRAIN = [noisy(f"t{i}", i, entities=4, minutes=720) for i in range(3)]
VALIDATION = [noisy(f"v{i}", 10 + i, entities=4, minutes=720) for i in range(2)]
FRESH = [noisy(f"f{i}", 20 + i, entities=4, minutes=720) for i in range(2)]


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return fit(TRAIN, VALIDATION, seed=4)


def test_training_finds_a_real_signal_on_systems_it_has_never_seen(fitted: Fitted) -> None:
    exam = exam_of(FRESH, HORIZON_S)
    score = model_scorer(fitted.model)
    assert average_precision(exam.label, exam.answers([score(s) for s in FRESH])) > 3 * exam.base_rate


def test_every_horizon_is_answered_and_a_longer_one_is_never_safer(fitted: Fitted) -> None:
    assert tuple(h.horizon_s for h in fitted.model.header.horizons) == HORIZONS_S
    said = [np.nan_to_num(model_scorer(fitted.model, h)(FRESH[0])) for h in HORIZONS_S]
    assert (said[0] <= said[1]).all()
    assert (said[1] <= said[2]).all()


def test_while_an_entity_is_being_learned_it_gets_no_score(fitted: Fitted) -> None:
    said = model_scorer(fitted.model)(FRESH[0])
    assert np.isnan(said[:, :2]).all()
    assert not np.isnan(said[:, 10:]).any()


def test_the_same_input_and_seed_give_the_same_bytes(fitted: Fitted) -> None:
    again = fit(TRAIN, VALIDATION, seed=4)
    assert again.content == fitted.content


def test_labels_dealt_out_at_random_give_the_base_rate(fitted: Fitted) -> None:
    """Anything above it would come from a leak: from the features knowing the label without learning it."""
    found, base = fitted.shuffled
    assert found < 2 * base  # so few failures lie close together, and chance with them
    exam = exam_of(VALIDATION, HORIZON_S)
    score = model_scorer(fitted.model)
    assert average_precision(exam.label, exam.answers([score(s) for s in VALIDATION])) > 2 * found


def test_the_budget_curve_rises_in_rate_and_falls_in_score(fitted: Fitted) -> None:
    rates, scores = zip(*fitted.model.alerting.curve, strict=True)
    assert list(rates) == sorted(rates)
    assert list(scores) == sorted(scores, reverse=True)


def test_what_is_learned_from_are_healthy_moments_and_most_calm_ones_are_left_out() -> None:
    made = examples(TRAIN, HORIZONS_S, seed=1)
    assert 0.02 < made.failing[1] < 0.6
    assert (made.rows[:, FEATURE_NAMES.index("bad_minutes_1h")] <= 60).all()
    assert set(np.unique(made.group)) == set(range(len(TRAIN)))
    assert len(made) < sum(exam_of([s], 300).label.size for s in TRAIN)


def test_training_without_a_failure_is_refused() -> None:
    calm = system(entities=2, minutes=300)
    with pytest.raises(ValueError, match="no failure"):
        fit([calm], [calm], seed=1)
