"""Waiting for a seat in closed form: against a simulation, at the limits, and as samples."""

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.lab.minutes.waiting import among_few, waiting


def ask(arrivals: float, hold_s: float, seats: float, wait_s: float = 1.0, cv2: float = 1.0):
    return waiting(np.array([arrivals]), np.array([hold_s]), np.array([seats]), wait_s, cv2)


@pytest.mark.parametrize("arrivals", [5.0, 9.0, 12.0, 20.0])
def test_it_agrees_with_a_simulation_below_at_and_above_capacity(arrivals: float):
    rng = np.random.default_rng(1)
    free_s, now_s, refused, waits = [0.0] * 5, 0.0, 0, []
    gaps, holds = rng.exponential(1 / arrivals, 20_000), rng.exponential(0.5, 20_000)
    for gap, hold in zip(gaps, holds, strict=True):
        now_s += gap
        seat = heapq.heappop(free_s)
        wait = max(0.0, seat - now_s)
        if wait > 1.0:
            refused += 1
        else:
            waits.append(wait)
        heapq.heappush(free_s, seat if wait > 1.0 else now_s + wait + hold)
    seen = ask(arrivals, 0.5, 5.0)
    assert float(seen.refused[0]) == pytest.approx(refused / 20_000, abs=0.02)
    assert float(seen.mean_s[0]) == pytest.approx(np.mean(waits), abs=0.04)
    assert float(seen.at_once[0]) == pytest.approx(np.mean(np.array(waits) == 0.0), abs=0.03)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(st.floats(0.01, 500.0), st.floats(0.001, 5.0), st.integers(1, 60), st.floats(0.1, 1.0))
def test_shares_are_shares_and_waits_are_within_the_bound(arrivals: float, hold_s: float, seats: int, cv2: float):
    seen = ask(arrivals, hold_s, float(seats), 1.5, cv2)
    assert 0.0 <= float(seen.refused[0]) <= 1.0
    assert 0.0 <= float(seen.at_once[0]) <= 1.0
    drawn = seen.draw(np.linspace(0.001, 0.999, 400))[0]
    assert np.all((drawn >= 0.0) & (drawn <= 1.5))
    assert np.all(np.diff(drawn) >= -1e-12)
    assert float(drawn.mean()) == pytest.approx(float(seen.mean_s[0]), abs=0.05)


def test_far_above_capacity_what_is_too_much_is_refused():
    assert float(ask(100.0, 0.5, 5.0).refused[0]) == pytest.approx(0.9, abs=0.001)


def test_without_a_seat_everybody_is_refused():
    assert float(ask(3.0, 0.1, 0.0).refused[0]) == 1.0


def test_among_few_nobody_waits_where_there_is_a_seat_for_each():
    many = ask(20.0, 0.5, 5.0)
    few = among_few(many, np.array([0.5]), np.array([5.0]), askers=5)
    assert float(few.refused[0]) == 0.0
    assert float(few.mean_s[0]) == 0.0
    one_more = among_few(many, np.array([0.5]), np.array([5.0]), askers=6)
    assert 0.0 < float(one_more.mean_s[0]) <= 0.05
