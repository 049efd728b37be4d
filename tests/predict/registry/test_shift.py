"""A model's traffic is compared with what it learned from: chance is no shift, a shift is found and named."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from foregate.predict.registry.shift import (
    Alarms,
    Reference,
    ShiftWatch,
    alarm_sentences,
    decode_reference,
    encode_reference,
    reference_of,
)

NAMES = tuple(f"f{i}" for i in range(20))
HOUR_S = 3_600.0


def draws(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Skewed, repeated, rarely known: what features are like."""
    rows = rng.lognormal(0, 1, (count, len(NAMES))).astype(np.float32)
    rows[:, 1] = rng.poisson(0.3, count)
    rows[rng.random(count) < 0.7, 2] = np.nan
    rows[:, 3] = np.nan
    return rows


@cache
def reference(seed: int = 0) -> Reference:
    rng = np.random.default_rng(seed)
    rows = draws(rng, 20_000)
    return reference_of(rows, rng.random(20_000) < 0.01, NAMES, dict.fromkeys(NAMES, 1.0))


def watched(rng: np.random.Generator, *, shifted: int = 0, hours: int = 30, rows: int = 100) -> ShiftWatch:
    watch = ShiftWatch(reference())
    for hour in range(hours):
        now = draws(rng, rows)
        now[:, 4 : 4 + shifted] *= 3.0
        watch.observe(now, hour * HOUR_S)
    return watch


def test_the_same_traffic_fits_in_every_one_of_twenty_worlds() -> None:
    states = {watched(np.random.default_rng(seed)).verdict().state for seed in range(20)}
    assert states == {"fits"}


@pytest.mark.parametrize(("shifted", "state"), [(1, "fits"), (3, "drifting"), (7, "no longer fits")])
def test_a_shift_is_found_by_how_much_of_what_the_model_heeds_has_moved(shifted: int, state: str) -> None:
    verdict = watched(np.random.default_rng(1), shifted=shifted).verdict()
    assert verdict.state == state
    assert verdict.stability is not None
    assert all(verdict.stability[f"f{4 + i}"] > 0.25 for i in range(shifted))
    assert "f4 (" in verdict.sentences[0] or shifted > 3
    assert f"{shifted / 20:.0%} of what it heeds" in verdict.sentences[0]


def test_a_feature_that_is_suddenly_unknown_or_suddenly_known_has_moved() -> None:
    watch, rng = ShiftWatch(reference()), np.random.default_rng(3)
    for hour in range(30):
        rows = draws(rng, 100)
        rows[:, 5] = np.nan
        rows[:, 3] = 1.0
        watch.observe(rows, hour * HOUR_S)
    stability = watch.stability()
    assert min(stability["f5"], stability["f3"]) > 1.0
    assert max(value for name, value in stability.items() if name not in ("f3", "f5")) < 0.1


def test_before_a_day_has_been_seen_nothing_is_claimed() -> None:
    early = watched(np.random.default_rng(1), shifted=9, hours=5, rows=1_000).verdict()
    assert (early.state, early.sentences) == ("unknown", ("too little seen: 4 of 24 h, 5,000 of 2,000 moments",))
    assert ShiftWatch(reference()).verdict().state == "unknown"


def test_what_is_older_than_a_week_no_longer_counts() -> None:
    rng = np.random.default_rng(5)
    watch = watched(rng, shifted=9)
    assert watch.verdict().state == "no longer fits"
    for hour in range(30, 30 + 8 * 24):
        watch.observe(draws(rng, 100), hour * HOUR_S)
    assert watch.verdict().state == "fits"
    assert watch.rows <= 7 * 24 * 100


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 300)), max_size=12))
def test_memory_is_bounded_and_no_time_breaks_the_counts(calls: list[tuple[int, int]]) -> None:
    watch, rng = ShiftWatch(reference()), np.random.default_rng(0)
    before = watch._days.nbytes
    for day, count in calls:
        watch.observe(draws(rng, count), day * 86_400.0)
    assert watch._days.nbytes == before
    assert 0 <= watch.rows <= sum(count for _, count in calls)
    assert all(np.isfinite(value) and value >= 0 for value in watch.stability().values())


def test_alerts_that_keep_their_promise_are_not_spoken_of_and_broken_promises_are() -> None:
    rng = np.random.default_rng(2)
    scores = rng.uniform(0.3, 0.9, 60)
    kept = Alarms(scores, rng.random(60) < scores, 100.0, 0.5)
    assert alarm_sentences(kept) == ()
    broken = alarm_sentences(Alarms(scores, rng.random(60) < scores / 4, 30.0, 0.5))
    assert len(broken) == 2
    assert "fewer of its alerts were followed by a failure than it promised" in broken[0]
    assert "more than the budget of 0.5 per API and day allows" in broken[1]


def test_broken_promises_alone_say_that_a_model_no_longer_fits() -> None:
    scores = np.full(40, 0.9)
    alarms = Alarms(scores, np.zeros(40, dtype=bool), 10.0, 0.5)
    assert watched(np.random.default_rng(1)).verdict(alarms).state == "no longer fits"


def test_alerts_that_keep_their_promise_are_doubted_in_at_most_two_of_a_hundred_worlds() -> None:
    doubted = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        scores = rng.uniform(0.2, 0.9, 40)
        failed = rng.random(40) < scores
        doubted += bool(alarm_sentences(Alarms(scores, failed, float((~failed).sum()) / 0.5, 0.5)))
    assert doubted <= 4


def test_a_reference_comes_back_as_it_was_and_a_damaged_one_is_refused() -> None:
    content = encode_reference(reference())
    assert decode_reference(content) == reference()
    with pytest.raises(ValueError, match=r"malformed|truncated"):
        decode_reference(content[:-40])
    with pytest.raises(ValueError, match="contradicts itself"):
        decode_reference(content.replace(b'"features":["f0",', b'"features":['))


def test_the_next_process_goes_on_with_what_was_counted() -> None:
    rng = np.random.default_rng(6)
    first = watched(rng, shifted=9, hours=20)
    second = ShiftWatch(reference())
    second.load(first.dump())
    for hour in range(20, 30):
        rows = draws(rng, 100)
        rows[:, 4:13] *= 3.0
        second.observe(rows, hour * HOUR_S)
    assert (second.verdict().state, second.rows) == ("no longer fits", 3_000)
    assert second.api_days == pytest.approx(3_000 / 1_440)
    other = ShiftWatch(reference_of(draws(rng, 100)[:, :5], np.zeros(100), NAMES[:5], {}))
    with pytest.raises(ValueError, match="of another model"):
        other.load(first.dump())
    ShiftWatch(reference()).load(ShiftWatch(reference()).dump())


def test_a_clock_that_was_years_ahead_does_not_silence_it_for_years() -> None:
    watch, rng = ShiftWatch(reference()), np.random.default_rng(5)
    watch.observe(draws(rng, 100), 100 * 365 * 86_400.0)
    for hour in range(30):
        watch.observe(draws(rng, 100), 1_000 * 86_400.0 + hour * HOUR_S)
    assert (watch.verdict().state, watch.rows) == ("fits", 3_000)
    assert watch.since_s == 1_000 * 86_400.0
