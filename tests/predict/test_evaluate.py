"""The honest protocol: what counts, what does not, and that nothing leaks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score
from tests.predict.making import PAY, T0, Shape, minutes, tick

from foregate.predict.evaluate.tick_baselines import BASELINES
from foregate.predict.evaluate.dataset import Examples, Onset, cause_of, examples, together
from foregate.predict.evaluate.protocol import average_precision, brier, paging, reliability, threshold_for
from foregate.predict.evaluate.recording import FaultNote, Moment, Recording, decode_recording, encode_recording
from foregate.predict.features import FEATURE_NAMES, FEATURES
from foregate.predict.plan import plan
from foregate.predict.train import fit, shuffled_labels_precision, thinned


def made(times_s: list[float], labels: list[float], onsets: tuple[Onset, ...] = (), series: int = 0) -> Examples:
    n = len(times_s)
    return Examples(
        np.zeros((n, len(FEATURES)), dtype=np.float32),
        np.zeros((n, 5), dtype=np.float32),
        np.array(labels),
        np.array(times_s),
        np.full(n, series, dtype=np.int64),
        np.zeros(n, dtype=np.int64),
        onsets,
        1,
    )


def recording(shape: Shape, count: int = 60, faults: tuple[FaultNote, ...] = ()) -> Recording:
    """A run as the lab would record it: a tick every 10 s, each minute closed 10 s after its end."""
    moments = []
    for i in range(1, 6 * count + 1):
        time_s = T0 + 10 * i
        closed = minutes(1, shape, start_s=time_s - 70) if i % 6 == 1 and i > 6 else []
        moments.append(Moment(time_s, closed, [tick(time_s, shape)]))
    return Recording("run", T0, 60.0 * count, faults, moments)


FAILS_AT_30 = Shape(error_share=lambda m: 0.3 if 30 <= m < 35 else 0.0)


def test_labels_are_one_exactly_in_the_horizon_before_the_failure() -> None:
    e = examples([recording(FAILS_AT_30)])
    for time_s, label in zip(e.time_s, e.label, strict=True):
        assert label == float(15 <= (time_s - T0) / 60 <= 30)
    assert [(o.onset_s - T0) / 60 for o in e.onsets] == [30]


def test_moments_within_and_shortly_after_a_failure_are_not_scored() -> None:
    e = examples([recording(FAILS_AT_30)])
    asked = (e.time_s - T0) / 60
    assert not ((asked > 30) & (asked < 45)).any()


def test_moments_whose_horizon_reaches_beyond_the_run_are_left_out() -> None:
    e = examples([recording(Shape())])
    assert (e.time_s.max() - T0) / 60 <= 60 - 15 - 3
    assert e.label.sum() == 0


def test_a_failure_too_late_in_its_run_to_be_scored_is_neither_missed_nor_a_false_alarm() -> None:
    e = examples([recording(Shape(error_share=lambda m: 0.3 if m >= 50 else 0.0))])
    assert [(o.onset_s - T0) / 60 for o in e.onsets] == [50]
    assert e.failures == 0
    assert paging(e, (e.time_s == T0 + 41 * 60).astype(float), 0.5).false_alarms == 0
    assert paging(e, (e.time_s == T0 + 20 * 60).astype(float), 0.5).false_alarms == 1


def test_the_cause_is_the_fault_that_was_on_its_own_service_first() -> None:
    near = FaultNote("brownout", "payments", T0, 600, 0.5, False, False)
    far = FaultNote("crash", "users", T0 + 300, 600, 0.5, False, False)
    assert cause_of((near, far), PAY, T0 + 400) == "brownout"
    assert cause_of((far,), PAY, T0 + 400) == "crash"
    assert cause_of((near, far), PAY, T0 + 9_000) == ""


def test_one_endless_alarm_does_not_win() -> None:
    """A page is valid for one horizon, then pages again: six hours of alarm are 24 pages for one failure."""
    times = [T0 + 10 * i for i in range(2160)]
    e = made(times, [0.0] * 2160, (Onset(0, T0 + 4000.0, "x"),))
    p = paging(e, np.ones(2160), 0.5)
    assert (p.pages, p.hits, p.false_alarms) == (24, 1, 23)


def test_a_page_shortly_before_the_failure_is_neither_a_hit_nor_a_false_alarm() -> None:
    times = [T0 + 10 * i for i in range(100)]
    onset = T0 + 500.0
    late = np.array([float(t == onset - 110) for t in times])
    p = paging(made(times, [0.0] * 100, (Onset(0, onset, "x"),)), late, 0.5)
    assert (p.pages, p.hits, p.false_alarms) == (1, 0, 0)
    early = np.array([float(t == onset - 120) for t in times])
    p = paging(made(times, [0.0] * 100, (Onset(0, onset, "x"),)), early, 0.5)
    assert (p.hits, p.median_lead_s) == (1, 120)


def test_a_failure_that_could_not_be_scored_still_counts_as_missed() -> None:
    p = paging(made([T0], [0.0], (Onset(5, T0 + 9e5, "x"),)), np.zeros(1), 0.5)
    assert (p.events, p.recall) == (1, 0.0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.5, 2.0, 20.0]))
def test_the_chosen_threshold_keeps_the_budget(seed: int, budget: float) -> None:
    rng = np.random.default_rng(seed)
    times = [T0 + 10 * i for i in range(3000)]
    e, scores = made(times, [0.0] * 3000), rng.normal(size=3000)
    threshold = threshold_for(e, scores, budget)
    assert threshold == float("inf") or paging(e, scores, threshold).false_per_day <= budget


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_pr_auc_agrees_with_scikit_learn_ties_included(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    labels = (rng.random(200) < 0.2).astype(float)
    labels[0] = 1
    scores = rng.integers(0, levels, 200).astype(float)
    assert average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores))


def test_brier_and_reliability_of_the_base_rate_are_what_theory_says() -> None:
    labels = np.array([1.0] * 10 + [0.0] * 90)
    assert brier(labels, np.full(100, 0.1)) == pytest.approx(0.09)
    assert reliability(labels, np.full(100, 0.1)) == [(pytest.approx(0.1), pytest.approx(0.1), 100)]


def test_a_recording_reads_back_as_it_was_written() -> None:
    whole = recording(FAILS_AT_30, 10)
    assert decode_recording(encode_recording(whole)) == whole


def test_joining_runs_keeps_their_series_and_failures_apart() -> None:
    one = examples([recording(FAILS_AT_30)])
    both, at_once = together([one, one]), examples([recording(FAILS_AT_30), recording(FAILS_AT_30)])
    assert both.onsets == at_once.onsets
    assert (both.series == at_once.series).all()
    assert (both.run == at_once.run).all()
    assert both.runs == 2


def test_no_seed_is_both_learned_from_and_judged_on() -> None:
    runs = [run for seed in range(3) for run in plan(1000, seed)]
    assert len({run.seed for run in runs}) == len(runs)
    assert {run.part for run in runs} == {"natural", "dense", "test"}


def synthetic(seed: int, runs: int) -> Examples:
    """Moments of which one feature in truth tells failures apart."""
    rng = np.random.default_rng(seed)
    n = 300 * runs
    features = rng.normal(size=(n, len(FEATURES))).astype(np.float32)
    risk = 1 / (1 + np.exp(-(3 * features[:, FEATURE_NAMES.index("p95_ratio")] - 3)))
    label = (rng.random(n) < risk).astype(float)
    run = np.repeat(np.arange(runs), 300)
    time_s = T0 // 30 * 30 + np.tile(np.arange(300) * 10.0, runs)
    return Examples(features, np.zeros((n, 5), dtype=np.float32), label, time_s, run, run, (), runs)


def test_training_finds_a_real_signal_is_calibrated_and_repeats_to_the_byte() -> None:
    natural, dense, fresh = synthetic(1, 10), synthetic(2, 5), synthetic(3, 20)
    fitted = fit(natural, dense, seed=4)
    scores = fitted.model.probabilities(fresh.features.astype(np.float64))
    assert average_precision(fresh.label, scores) > 2 * fresh.base_rate
    for predicted, observed, count in reliability(fresh.label, scores):
        assert count < 300 or observed == pytest.approx(predicted, abs=0.12)
    assert fit(natural, dense, seed=4).content == fitted.content


def test_shuffled_labels_give_the_base_rate() -> None:
    """Anything above it would come from a leak: from the features knowing the label without learning it."""
    found, base = shuffled_labels_precision(synthetic(1, 20), synthetic(2, 5), synthetic(3, 40), seed=5)
    assert found == pytest.approx(base, rel=0.15)


def test_training_without_a_failure_is_refused() -> None:
    with pytest.raises(ValueError, match="no failure"):
        fit(made([T0], [0.0]), made([T0], [0.0]), seed=1)


def test_learning_takes_every_third_moment() -> None:
    features, labels = thinned([synthetic(1, 2)])
    assert len(features) == len(labels) == 200


def test_every_baseline_scores_every_moment() -> None:
    e = examples([recording(FAILS_AT_30)])
    for name, score in BASELINES.items():
        assert np.isfinite(score(e)).all(), name
        assert score(e).shape == e.label.shape, name
