"""What is usual, and how far a value lies from it: held against the plain formulas."""

from math import sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foregate.abuse.level import HALF_LIFE_SLICES, MATURE_SLICES, Level, share_z

counts = st.lists(st.integers(0, 10_000).map(float), min_size=1, max_size=300)
KEEP = 0.5 ** (1 / HALF_LIFE_SLICES)


def level_of(values: list[float]) -> Level:
    level = Level()
    for value in values:
        level.learn(value)
    return level


@given(counts)
def test_mean_and_variance_are_those_of_exponential_weights(values: list[float]) -> None:
    weights = [KEEP ** (len(values) - 1 - at) for at in range(len(values))]
    mean = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
    variance = sum(w * (v - mean) ** 2 for w, v in zip(weights, values, strict=True)) / sum(weights)
    level = level_of(values)
    assert level.mean == pytest.approx(mean, rel=1e-9, abs=1e-9)
    assert level.variance == pytest.approx(max(variance, mean, 1.0), rel=1e-6)


@given(counts, st.integers(0, 400))
def test_resting_is_the_same_as_learning_zeros(values: list[float], slices: int) -> None:
    rested, learnt = level_of(values), level_of([*values, *[0.0] * slices])
    rested.rest(slices)
    assert rested.slices == learnt.slices
    assert rested.mean == pytest.approx(learnt.mean, rel=1e-6, abs=1e-9)
    assert rested.variance == pytest.approx(learnt.variance, rel=1e-6)


@given(counts, st.floats(0, 20_000))
def test_z_has_the_sign_of_the_difference_and_grows_with_it(values: list[float], value: float) -> None:
    level = level_of(values)
    assert (level.z(value) > 0) == (value > level.mean)
    assert level.z(value + 10.0) > level.z(value)
    assert level.z(level.most(3.0)) == pytest.approx(3.0, rel=1e-9, abs=1e-6)


def test_of_independent_arrivals_less_than_half_a_percent_lies_beyond_three_deviations() -> None:
    rng = Random(3)
    level, beyond, slices = Level(), 0, 20_000
    for _ in range(slices):
        value = float(sum(1 for _ in range(200) if rng.random() < 0.1))  # about Poisson of 20
        beyond += level.mature and abs(level.z(value)) > 3.0
        level.learn(value)
    assert beyond / slices < 0.005


def test_what_attacks_teach_is_bounded() -> None:
    level = level_of([10.0] * 300)
    for _ in range(30):  # a minute
        level.learn_clipped(10_000.0, 3.0)
    assert level.mean < 40.0
    assert level.z(10_000.0) > 100.0


def test_it_is_mature_after_two_minutes_of_slices_and_knows_nothing_before_the_first() -> None:
    level = Level()
    assert (level.mean, level.variance, level.mature) == (0.0, 1.0, False)
    level.rest(MATURE_SLICES)
    assert level.mature


@given(st.floats(1, 1_000), st.floats(0, 1), st.floats(0, 1))
def test_a_share_is_far_from_usual_only_with_enough_evidence(of: float, share: float, usual: float) -> None:
    z = share_z(share * of, of, usual)
    assert abs(share_z(share * of * 4, of * 4, usual)) == pytest.approx(2 * abs(z), rel=1e-6, abs=1e-6)
    assert share_z(0.0, 0.0, usual) == 0.0
    expected = min(max(usual, 0.02), 0.98)
    assert z == pytest.approx((share - expected) / sqrt(expected * (1 - expected) / of), rel=1e-6, abs=1e-6)
