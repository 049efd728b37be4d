"""Features: finite, relative to the entity's own past, blind to the future, said in sentences with their values."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.predict.making import PAY, T0, Shape, minutes, tick, window

from foregate.predict.features import FEATURE_NAMES, FEATURES, vector, view
from foregate.predict.history import History, Past
from foregate.wire.entity import Entity
from foregate.wire.window import Tick, WindowStats

STEADY = Shape()
GROWING = Shape(p50_ms=lambda m: 50.0 * max(1.0, 1 + 0.3 * (m - 20)))


def past_of(count: int, shape: Shape = STEADY, seed: int | None = 1) -> Past:
    past = Past()
    for _, minute in minutes(count, shape, random.Random(seed) if seed is not None else None):
        past.add(minute)
    return past


def named(tick_: Tick, past: Past) -> dict[str, float]:
    seen = view(tick_, past)
    assert seen is not None
    return dict(zip(FEATURE_NAMES, vector(seen).tolist(), strict=True))


def test_names_are_unique_and_none_says_which_entity_it_is() -> None:
    assert len(set(FEATURE_NAMES)) == len(FEATURES) >= 30
    assert not [name for name in FEATURE_NAMES if "service" in name or "route" in name or name in ("p95_ms", "rps")]


def test_an_entity_ten_times_slower_and_busier_looks_the_same() -> None:
    """What is learned from one entity must hold for another: only the relation to its own usual counts."""
    slow = Shape(p50_ms=lambda m: 500.0, requests=lambda m: 3000.0)
    a = named(tick(T0 + 1800, Shape()), past_of(30, seed=None))
    b = named(tick(T0 + 1800, slow), past_of(30, slow, seed=None))
    for name in FEATURE_NAMES:
        assert a[name] == pytest.approx(b[name], abs=0.02), name


def test_growth_shows_in_level_trend_and_duration() -> None:
    now = named(tick(T0 + 30 * 60, GROWING), past_of(30, GROWING))
    assert now["p95_ratio"] > 3
    assert now["p95_slope_5m"] > 0.1
    assert now["p95_tau"] > 0.6
    assert now["p95_grown"] >= 7


def test_a_fault_five_minutes_after_the_start_is_compared_with_the_first_two_minutes() -> None:
    early = Shape(p50_ms=lambda m: 50.0 if m < 2 else 50.0 * (1 + 0.8 * (m - 2)))
    now = named(tick(T0 + 6 * 60, early), past_of(6, early))
    assert now["p95_ratio"] > 3


numbers = st.integers(0, 5000)
floats = st.floats(0, 60_000, allow_nan=False)


@st.composite
def any_window(draw: st.DrawFn, start_s: float, span_s: int) -> WindowStats:
    requests = draw(numbers)
    part = st.integers(0, requests)
    return WindowStats(
        start_s, span_s, requests, draw(part), draw(part), draw(part), draw(part), draw(part), draw(numbers),
        0, 0, draw(numbers), *(draw(floats) for _ in range(5)),
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_features_are_finite_and_sentences_whole_whatever_the_windows_hold(data: st.DataObject) -> None:
    past = Past()
    for i in range(data.draw(st.integers(0, 25))):
        past.add(data.draw(any_window(T0 + 60 * i, 60)))
    time_s = T0 + 1560.0
    wide = Tick(time_s, PAY, *(data.draw(any_window(time_s - s, s)) for s in (60, 300, 900)), 15.0)
    seen = view(wide, past)
    if seen is None:
        assert past.minutes_usable() < 2
        return
    row = vector(seen)
    assert np.isfinite(row).all()
    for feature in FEATURES:
        sentence = feature.sentence(seen)
        assert sentence
        assert "nan" not in sentence.lower(), feature.name
        assert any(c.isdigit() for c in sentence), f"{feature.name} says no value: {sentence}"


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), at=st.integers(3, 39))
def test_changing_what_comes_later_never_changes_an_earlier_feature(seed: int, at: int) -> None:
    whole = minutes(40, GROWING, random.Random(seed))
    other = whole[:at] + minutes(40 - at, Shape(p50_ms=lambda m: 9_000.0), start_s=T0 + 60 * at)
    rows = []
    for run in (whole, other):
        past, row = Past(), None
        for i, (_, minute) in enumerate(run):
            if i == at:
                row = named(tick(T0 + 60 * at, GROWING), past)
            past.add(minute)
        rows.append(row)
    assert rows[0] is not None
    assert rows[0] == rows[1]


def test_a_feature_that_looks_ahead_would_be_caught() -> None:
    """The leakage test above can fail: a view over a past that holds later minutes differs."""
    honest = past_of(20, GROWING)
    ahead = past_of(40, GROWING)
    at = tick(T0 + 20 * 60, GROWING)
    assert named(at, honest) != named(at, ahead)


def test_gaps_leave_the_usual_level_as_it_was() -> None:
    past = Past()
    for i, (_, minute) in enumerate(minutes(60, Shape())):
        if i % 3:
            past.add(minute)
    assert named(tick(T0 + 3600, Shape()), past)["p95_ratio"] == pytest.approx(1.0)
    assert past.minutes_usable() == 40


def test_a_flat_series_scores_zero_and_a_small_change_of_it_stays_small() -> None:
    past = past_of(60, seed=None)
    flat = named(tick(T0 + 3600, Shape()), past)
    assert flat["p95_z"] == 0
    assert flat["error_z"] == 0
    nudged = named(tick(T0 + 3600, Shape(p50_ms=lambda m: 51.0)), past)
    assert 0 < nudged["p95_z"] < 1


def test_minutes_without_traffic_never_become_the_usual() -> None:
    past = past_of(30, Shape(requests=lambda m: 0.0), seed=None)
    assert past.usual() is None
    assert view(tick(T0 + 1800, Shape()), past) is None


def test_a_clock_that_went_back_forgets_what_is_later_and_learns_on() -> None:
    past = past_of(120, Shape(p50_ms=lambda m: 500.0))
    for _, minute in minutes(5, Shape(), start_s=T0 - 7200):
        assert past.add(minute)
    usual = past.usual()
    assert usual is not None
    assert usual.minutes == 2
    assert past.last_start_s == T0 - 7200 + 240


def test_a_minute_given_twice_counts_once() -> None:
    past = past_of(10)
    again = window(T0 + 9 * 60, 60, Shape())
    assert not past.add(again)
    assert past.minutes_usable() == 10


def test_the_past_keeps_four_hours_and_no_more() -> None:
    past = Past()
    for _, minute in minutes(2000, Shape()):
        past.add(minute)
    assert past.minutes_usable() == 240
    assert len(past._starts) <= 300


def test_history_forgets_the_entity_unheard_of_for_longest() -> None:
    history = History(entities_max=2)
    first, second, third = (Entity("o", "s", f"/{i}", "e") for i in range(3))
    for entity, start in ((first, 0), (second, 0), (first, 1), (third, 1)):
        history.add(entity, window(T0 + 60 * start, 60, Shape()))
    assert history.of(second) is None
    assert history.of(first) is not None
    assert len(history) == 2
