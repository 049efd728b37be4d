"""Limits that shrink with load: never below their floor, never more for being busier."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foregate.gateway.policies.limits.adaptive import (
    FACTOR_MIN,
    LATENESS_FULL_S,
    LOAD_CALM,
    Load,
    cost_factor,
    factor,
)

LOADS = st.floats(0.0, 1e6)


@given(LOADS, LOADS, st.floats(0.01, 1.0))
def test_more_load_never_gives_more_and_the_floor_holds(one: float, other: float, floor: float) -> None:
    low, high = sorted((one, other))
    assert 1.0 >= factor(low, floor) >= factor(high, floor) >= floor


def test_a_calm_machine_gives_all_and_an_overloaded_one_the_floor() -> None:
    assert factor(0.0) == factor(LOAD_CALM) == factor(float("nan")) == 1.0
    assert factor(1.0) == pytest.approx(FACTOR_MIN)
    assert FACTOR_MIN < factor(0.5) < 1.0


@given(st.floats(0.0, 10.0))
def test_a_request_costs_what_the_shrunken_limit_makes_of_it(lateness_s: float) -> None:
    cost, share = cost_factor(lateness_s), factor(lateness_s / LATENESS_FULL_S)
    assert 1.0 / share <= cost <= 1.0 / share + 1 / 64 + 1e-9
    assert (cost * 64).is_integer()


def test_a_half_life_halves_what_was_known_whatever_the_pace_of_samples() -> None:
    slow, quick = Load(2.0), Load(2.0)
    slow.seen(8.0, 100.0)
    quick.seen(8.0, 100.0)
    assert slow.seen(0.0, 102.0) == pytest.approx(4.0)
    for step in range(1, 21):
        quick.seen(0.0, 100.0 + step / 10)
    assert quick.value == pytest.approx(4.0)
    assert quick.seen(5.0, 101.0) == pytest.approx(4.0)  # a sample from the past weighs nothing
