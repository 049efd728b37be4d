"""How many requests were too slow, read off a window's quantiles."""

from itertools import pairwise
from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.predict.slo.latency import slow_share
from foregate.wire.window import WindowStats

SHARES = (0.5, 0.9, 0.95, 0.99, 0.999)


def window(latencies_ms: np.ndarray) -> WindowStats:
    p50, p90, p95, p99, p999 = np.quantile(latencies_ms, SHARES).tolist()
    most = float(latencies_ms.max())
    return WindowStats(
        0.0, 60, len(latencies_ms), p50_ms=p50, p90_ms=p90, p95_ms=p95, p99_ms=p99, p999_ms=p999, max_ms=most
    )


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 1.5), st.floats(1.0, 2_000.0))
def test_the_share_is_between_those_of_the_two_quantiles_around_it(seed: int, spread: float, limit_ms: float) -> None:
    rng = np.random.default_rng(seed)
    latencies = 50.0 * np.exp(rng.normal(0.0, spread, 2_000))
    stats = window(latencies)
    share, true = slow_share(stats, limit_ms), float((latencies > limit_ms).mean())
    knots = [1.0, *(1 - s for s in SHARES), 0.0]
    gap = min(high - low for high, low in pairwise(knots) if low - 1e-9 <= true <= high + 1e-9)
    assert 0.0 <= share <= 1.0
    assert abs(share - true) <= gap + 0.001


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.lists(st.floats(1.0, 5_000.0), min_size=2, max_size=12), st.integers(0, 1_000))
def test_a_higher_limit_never_has_more_slow_requests(limits: list[float], seed: int) -> None:
    stats = window(np.random.default_rng(seed).gamma(2.0, 60.0, 300))
    shares = [slow_share(stats, limit) for limit in sorted(limits)]
    assert shares == sorted(shares, reverse=True)


def test_at_a_quantile_the_share_is_exact() -> None:
    stats = WindowStats(0.0, 60, 100, p50_ms=20, p90_ms=80, p95_ms=100, p99_ms=100, p999_ms=400, max_ms=500)
    assert slow_share(stats, 80.0) == pytest.approx(0.1)
    assert slow_share(stats, 100.0) == pytest.approx(0.01)  # two quantiles at one value: the higher one holds
    assert (slow_share(stats, 500.0), slow_share(stats, 9e9)) == (0.0, 0.0)
    assert slow_share(stats, 10.0) == pytest.approx(0.75)


def test_without_a_measured_latency_there_is_no_share() -> None:
    assert isnan(slow_share(WindowStats(0.0, 60, 100), 300.0))


def test_when_all_took_as_long_all_or_none_are_slow() -> None:
    stats = WindowStats(0.0, 60, 9, p50_ms=40, p90_ms=40, p95_ms=40, p99_ms=40, p999_ms=40, max_ms=40)
    assert slow_share(stats, 40.0) == 0.0
    assert slow_share(stats, 39.9) == pytest.approx(0.5, abs=0.01)
