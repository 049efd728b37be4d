"""Training: finds a real signal, is calibrated, repeats to the byte, and nothing leaks."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.predict.evaluate.making import noisy, system

from foregate.predict.asked import Asked
from foregate.predict.evaluate.exam import exam_of
from foregate.predict.evaluate.scores import average_precision
from foregate.predict.examples import TELLING_MIN, examples, telling_examples
from foregate.predict.failures import HORIZON_S
from foregate.predict.features import FEATURE_NAMES
from foregate.predict.models.model import HORIZONS_S
from foregate.predict.models.scorer import model_scorer
from foregate.predict.moments import Recorded
from foregate.predict.random_labels import RandomLabels, random_labels
from foregate.predict.train import PARAMETERS, Fitted, fit
from foregate.wire.minutes import COLUMNS

FREE = {name: value for name, value in PARAMETERS.items() if name != "monotone_constraints"}
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


def test_the_same_input_and_seed_give_the_same_bytes_with_any_number_of_threads(fitted: Fitted) -> None:
    again = fit(TRAIN, VALIDATION, seed=4, threads=2)
    assert again.content == fitted.content


def _likes(feature: int, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """A scout that is sure where the feature is high, and thinks nothing of the rest."""
    return np.where(rows[:, feature] > 1.5, 20.0, -20.0)


def test_the_moments_that_a_scout_thinks_something_of_are_all_learned_from_and_few_of_the_others() -> None:
    p95 = FEATURE_NAMES.index("p95_ratio")
    exams = [exam_of(TRAIN, horizon_s) for horizon_s in HORIZONS_S]
    counted = [np.logical_and.reduce(chosen) for chosen in zip(*(exam.chosen for exam in exams), strict=True)]
    rows = np.concatenate([Recorded(s).rows(np.arange(720))[kept] for s, kept in zip(TRAIN, counted, strict=True)])
    high = rows[:, p95] > 1.5
    learned = telling_examples(TRAIN, HORIZONS_S, partial(_likes, p95), seed=4)
    assert int((learned.rows[:, p95] > 1.5).sum()) == int(high.sum()) > 50
    others = int((learned.rows[:, p95] <= 1.5).sum())
    assert others == pytest.approx(TELLING_MIN * int((~high).sum()), rel=0.5)
    assert telling_examples(TRAIN, HORIZONS_S, partial(_likes, p95), seed=4).rows.tobytes() == learned.rows.tobytes()


def test_what_is_learned_from_is_what_the_scout_picked(fitted: Fitted) -> None:
    natural = exam_of(TRAIN, HORIZON_S)
    assert fitted.moments not in (len(examples(TRAIN, HORIZONS_S, seed=4)), len(natural.label))
    assert fitted.failing > 1.2 * natural.base_rate  # a failure looks like one oftener than calm does


def test_the_false_alarms_of_a_rule_count_against_the_budget() -> None:
    """A certificate that everybody watches end, and that never does any harm."""
    minutes = VALIDATION[0].minutes.copy()
    minutes[0, COLUMNS.index("cert_left_s")] = 600.0
    alarming = fit(TRAIN, [replace(VALIDATION[0], minutes=minutes), VALIDATION[1]], seed=4).model.alerting
    assert alarming.curve[0][1] >= 0.95 - 1e-9
    assert alarming.threshold(0.5) is None  # ten pages a day are the least there is


def test_no_more_moments_are_learned_from_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foregate.predict.examples.EXAMPLES_MAX", 150)
    learned = examples(TRAIN, HORIZONS_S, seed=4)
    assert len(learned) == len(learned.labels) == 150
    assert 0 < len(telling_examples(TRAIN, HORIZONS_S, partial(_likes, 0), seed=4)) <= 150


def test_trees_that_learn_labels_tossed_like_a_coin_know_nothing_of_real_failures(fitted: Fitted) -> None:
    """Whatever they knew would come from a leak: from the features knowing the label without learning it."""
    found = fitted.random_labels
    assert abs(found.roc_auc - 0.5) < 0.08  # validation holds a dozen failures
    assert found.spread < 0.1
    assert found.true_roc_auc > found.roc_auc + 0.1
    assert found.base_rate == pytest.approx(exam_of(VALIDATION, HORIZON_S).base_rate)


def test_a_feature_that_holds_the_label_shows_in_the_ranking_of_true_labels_and_in_no_coins() -> None:
    learned, exam = examples(TRAIN, HORIZONS_S, seed=4), exam_of(VALIDATION, HORIZON_S)
    asked = Asked.of(VALIDATION, [exam])
    labels = learned.labels[:, HORIZONS_S.index(HORIZON_S)]

    def measured(leak: bool) -> RandomLabels:
        rows = np.c_[learned.rows, labels if leak else np.zeros_like(labels)]
        judged = np.c_[np.concatenate(asked.rows), exam.label if leak else np.zeros_like(exam.label)]
        answers = partial(_answers, judged.astype(np.float32))
        return random_labels(rows, labels, answers, exam.label, parameters=FREE, seed=4)

    honest, leaking = measured(False), measured(True)
    assert honest.true_roc_auc < 0.9
    assert leaking.true_roc_auc > 0.95  # seen by every third tree
    assert abs(leaking.roc_auc - 0.5) < 0.08  # a coin that knew the label would be no coin


def _answers(rows: NDArray[np.float32], booster: Any) -> NDArray[np.float64]:
    return np.asarray(booster.inplace_predict(rows), dtype=np.float64)


def test_the_budget_curve_rises_in_rate_and_falls_in_score(fitted: Fitted) -> None:
    rates, scores = zip(*fitted.model.alerting.curve, strict=True)
    assert list(rates) == sorted(rates)
    assert list(scores) == sorted(scores, reverse=True)


def test_what_is_learned_from_are_healthy_moments_and_most_calm_ones_are_left_out() -> None:
    made = examples(TRAIN, HORIZONS_S, seed=1)
    assert 0.02 < made.failing[1] < 0.6
    assert (made.rows[:, FEATURE_NAMES.index("bad_minutes_1h")] <= 60).all()
    assert len(made) < sum(exam_of([s], 300).label.size for s in TRAIN)


def test_training_without_a_failure_is_refused() -> None:
    calm = system(entities=2, minutes=300)
    with pytest.raises(ValueError, match="no failure"):
        fit([calm], [calm], seed=1)


def test_what_is_kept_of_validation_is_every_minute_that_some_horizon_asks_for() -> None:
    gaps = noisy("g", 30, entities=5, minutes=1_900)  # more moments than are made at a time
    gaps.minutes[1, :, 200:420] = np.nan
    systems = [gaps, *VALIDATION]
    exams = [exam_of(systems, horizon_s) for horizon_s in HORIZONS_S]
    asked = Asked.of(systems, exams)
    every = [Recorded(each).rows(np.arange(each.minutes.shape[2])) for each in systems]
    for exam in exams:
        whole = np.concatenate([rows[chosen] for rows, chosen in zip(every, exam.chosen, strict=True)])
        some = np.random.default_rng(0).random(len(whole)) < 0.1
        np.testing.assert_array_equal(np.concatenate([rows for _, rows in asked.parts(exam)]), whole)
        np.testing.assert_array_equal(asked.drawn(exam, some), whole[some])
    assert sum(len(rows) for rows in asked.rows) < sum(len(s.entities) * s.minutes.shape[2] for s in systems)
