"""The features are causal, finite, and what they say they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.predict.evaluate.checks.history import HEADER, HOUR, T0, excited, line

from foregate.predict.evaluate.checks.features import FEATURES, NAMES, NEVER_H, decayed, features, since_h
from foregate.predict.evaluate.checks.load import parse
from foregate.predict.evaluate.checks.timeline import Source, sources

LINES = excited(seed=5, sources=1, endpoints=4, count=12)


def source(lines: list[str]) -> Source:
    return sources(parse([HEADER, *lines]).histories)[0]


@settings(max_examples=8, deadline=None, derandomize=True)
@given(cut=st.integers(60, 280))
def test_what_is_recorded_after_a_moment_changes_no_feature_before_it(cut: int) -> None:
    whole = source(LINES)
    last_s = whole.start_s + HOUR * cut
    kept = [text for text in LINES if parse([HEADER, text]).histories[0].time_s[0] <= last_s]
    changed = [*kept, line("s0", "e0", last_s + 1, "down"), line("s0", "e1", last_s + 1, "up", 9_999)]
    expected = features(whole)[:, :, : cut + 1]
    for other in (source(kept), source(changed)):
        upto = min(cut + 1, other.hours)
        np.testing.assert_array_equal(features(other)[:, :, :upto], expected[:, :, :upto])


def test_all_features_are_finite_and_none_is_left_out() -> None:
    found = features(source(LINES))
    assert found.shape[0] == len(FEATURES) == len(set(NAMES))
    assert np.isfinite(found).all()
    told = [name for name, column in zip(NAMES, found, strict=True) if np.ptp(column) == 0]
    assert not told, "these say the same at every moment"


@settings(derandomize=True, deadline=None)
@given(
    events=st.lists(st.floats(0, 1e6), max_size=20),
    times=st.lists(st.floats(0, 1e6), min_size=1, max_size=20),
    decay=st.floats(100, 1e6),
)
def test_a_decayed_count_is_the_sum_over_all_past_events(events: list[float], times: list[float], decay: float) -> None:
    event_s, time_s = np.sort(np.array(events)), np.sort(np.array(times))
    direct = [sum(np.exp(-(t - s) / decay) for s in event_s if s <= t) for t in time_s]
    np.testing.assert_allclose(decayed(event_s, time_s, decay), direct, atol=1e-9)


def test_before_the_first_event_it_never_happened() -> None:
    assert since_h(np.array([T0]), np.array([T0 - 1, T0, T0 + HOUR])).tolist() == [NEVER_H, 0.0, 1.0]


def test_a_neighbours_failure_is_felt_and_not_ones_own() -> None:
    lines = [line("s", e, T0 + HOUR * h) for e in ("a", "b", "c") for h in (0, 20)]
    lines += [line("s", "a", T0 + HOUR * 5.5, "down"), line("s", "a", T0 + HOUR * 6.5)]
    found = dict(zip(NAMES, features(source(lines)), strict=True))
    assert found["neighbours_down"][:, 6].tolist() == pytest.approx([0.0, 0.5, 0.5])
    assert found["neighbour_failures_24h"][0, 7] == 0
    assert found["neighbour_failures_24h"][1, 7] == pytest.approx(0.5 * np.exp(-1.5 / 24))
