"""The simple scores: none sees the future, none stumbles over gaps, each says what it is named for."""

import tracemalloc
from dataclasses import replace
from statistics import median

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.predict.evaluate.making import bad_runs, noisy, system

from foregate.predict.evaluate.baselines import LEARNED, SIMPLE, same_features
from foregate.predict.evaluate.baselines.same_features import fit_same_features
from foregate.predict.evaluate.exam import exam_of
from foregate.predict.evaluate.leakage import LooksAhead, refuse_look_ahead
from foregate.predict.evaluate.scores import average_precision
from foregate.predict.evaluate.system import COLUMN, Scorer, System
from foregate.predict.moments import Recorded

HORIZON_S = 900
TRAINING = [noisy("train", 1, entities=4)]
SCORERS: dict[str, Scorer] = SIMPLE | {
    name: fit(TRAINING, HORIZON_S, np.random.default_rng(0)) for name, fit in LEARNED.items()
}


def holed(seed: int, minutes: int = 400) -> System:
    made = noisy("holes", seed, entities=2, minutes=minutes)
    rng = np.random.default_rng(seed)
    for entity in range(2):
        start = int(rng.integers(0, minutes - 50))
        made.minutes[entity, :, start : start + int(rng.integers(1, 50))] = np.nan
    made.minutes[:, COLUMN["p95_ms"]][rng.random((2, minutes)) < 0.05] = np.nan
    return made


@settings(max_examples=12, deadline=None, derandomize=True)
@given(st.sampled_from(sorted(SCORERS)), st.integers(0, 1000), st.integers(1, 399))
def test_cutting_off_the_future_changes_no_score(name: str, seed: int, cut: int) -> None:
    of = holed(seed)
    whole, alone = SCORERS[name](of), SCORERS[name](replace(of, minutes=of.minutes[:, :, :cut]))
    np.testing.assert_allclose(alone, whole[:, :cut], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", SCORERS)
def test_scores_are_finite_or_nan_and_of_the_right_shape_whatever_is_missing(name: str) -> None:
    for of in (holed(3), system(minutes=1), system(minutes=70, gaps=[(0, j) for j in range(70)])):
        scores = SCORERS[name](of)
        assert scores.shape == of.of("requests").shape
        assert not np.isinf(scores).any()


@pytest.mark.parametrize("name", SCORERS)
def test_nothing_is_caught_looking_ahead(name: str) -> None:
    refuse_look_ahead(name, SCORERS[name], [noisy("a", 5, entities=2, minutes=400)], np.random.default_rng(0))


def test_a_score_that_looks_one_minute_ahead_is_caught() -> None:
    def cheat(of: System) -> np.ndarray:
        rate = (of.of("errors") / of.of("requests")).astype(np.float64)
        return np.pad(rate[:, 1:], ((0, 0), (0, 1)))

    of = system(minutes=200, bad=bad_runs((60, 64)))  # nothing but the failure itself gives it away
    with pytest.raises(LooksAhead, match=r"cheat looks ahead: what it says of minute 59 of a"):
        refuse_look_ahead("cheat", cheat, [of], np.random.default_rng(0))


@pytest.mark.parametrize("name", LEARNED)
def test_what_learned_from_shuffled_labels_gives_the_base_rate(name: str) -> None:
    asked = [noisy("asked", 9, entities=6, minutes=2000)]
    exam = exam_of(asked, HORIZON_S)

    def quality(seed: int, *, shuffled: bool) -> float:
        scorer = LEARNED[name](TRAINING, HORIZON_S, np.random.default_rng(seed), shuffled=shuffled)
        return average_precision(exam.label, exam.answers([scorer(asked[0])]))

    assert quality(0, shuffled=False) > 2.5 * exam.base_rate
    # A line through labels that mean nothing still points somewhere, now and then to where failures are; a leak always.
    assert median(quality(seed, shuffled=True) for seed in range(3)) < 1.5 * exam.base_rate


@pytest.mark.parametrize("name", LEARNED)
def test_nothing_is_learned_where_nothing_failed(name: str) -> None:
    with pytest.raises(ValueError, match="holds no failure"):
        LEARNED[name]([system()], HORIZON_S, np.random.default_rng(0))


def test_of_many_moments_our_features_are_computed_in_some_minutes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Counted(Recorded):
        def rows(self, minutes: NDArray[np.intp]) -> NDArray[np.float32]:
            asked.append(len(minutes))
            return super().rows(minutes)

    monkeypatch.setattr(same_features, "Recorded", Counted)
    monkeypatch.setattr(same_features, "ROWS_MAX", 2_000)
    fit_same_features([*TRAINING, noisy("more", 2, entities=4)], HORIZON_S, np.random.default_rng(0))
    assert len(asked) == 2
    assert sum(asked) * 4 == pytest.approx(2_000, rel=0.2)


def test_a_regression_on_our_features_is_no_more_alarmed_by_what_is_beyond_all_that_it_learned_from() -> None:
    of = system(minutes=200)
    scores = []
    for times in (1_000, 100_000):
        of.of("p95_ms")[0, 190:] = 100 * times
        scores.append(SCORERS["logistic regression, our features"](of)[0])
    assert scores[0][195] != scores[0][180]
    np.testing.assert_allclose(scores[0], scores[1], rtol=0.01)


def test_burn_rate_is_one_where_the_workbook_would_alert() -> None:
    of = system(minutes=4400)
    of.of("errors")[0, 4340:] = 0.0144 * 600  # an hour at 14.4 times what the budget allows
    score = SIMPLE["SLO burn rate (99.9 %)"](of)[0]
    assert score[4339] == 0
    assert score[4398] < 1
    assert score[4399] == pytest.approx(1.0, rel=1e-5)


def test_robust_z_and_ewma_rise_where_p95_does() -> None:
    of = system(minutes=400)
    of.of("p95_ms")[0] = 100 * np.random.default_rng(0).lognormal(0, 0.1, 400)
    of.of("p95_ms")[0, 380:] *= 3
    for name in ("robust z (p95)", "EWMA + z (p95)", "static threshold (p95)"):
        score = SIMPLE[name](of)[0]
        assert np.nanmax(score[300:380]) < 0.7 * np.nanmax(score[380:386]), name


def test_the_trend_says_when_p95_will_be_ten_times_its_usual() -> None:
    of = system(minutes=200)
    of.of("p95_ms")[0, 100:] = 100 + 20 * np.arange(100)
    assert SIMPLE["p95 trend"](of)[0, 120] == pytest.approx(-(1000 - 480) / 20, abs=3)
    assert SIMPLE["p95 trend"](of)[0, 99] == -1000


def test_the_historical_rate_knows_a_failure_at_its_third_bad_minute() -> None:
    rate = SIMPLE["historical rate"](system(bad=bad_runs((60, 64))))[0]
    assert rate[61] < rate[59]
    assert rate[62] > 2 * rate[61]


def test_a_learned_score_of_many_entities_takes_no_memory_for_the_windows_of_all_at_once() -> None:
    few, many = noisy("few", 1, entities=2, minutes=400), system("many", entities=640, minutes=120)
    scorer = LEARNED["XGBoost, naive"]([few], HORIZON_S, np.random.default_rng(0))
    tracemalloc.start()
    try:
        scores = scorer(many)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.isfinite(scores).all()
    assert peak < 640 * 120 * 48 * 4  # the windows alone, in single precision
