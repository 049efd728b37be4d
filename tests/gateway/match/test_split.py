"""Shares of traffic."""

import random

import pytest

from foregate.gateway.match import Split

SUBJECTS = 100_000


@pytest.mark.parametrize("weights", [(95, 5), (1, 1, 1), (0, 7, 0, 3, 0), (0.5, 99.5)])
def test_shares_are_right_within_one_percent(weights: tuple[float, ...]) -> None:
    split = Split(range(len(weights)), weights)
    rng = random.Random(7)
    sticky = [split.pick(b"key-%d" % number) for number in range(SUBJECTS)]
    drawn = [split.at(rng.random()) for _ in range(SUBJECTS)]
    for value, weight in enumerate(weights):
        for chosen in (sticky, drawn):
            assert abs(chosen.count(value) / SUBJECTS - weight / sum(weights)) < 0.01
            assert weight > 0 or value not in chosen


def test_the_same_subject_stays_and_a_growing_canary_keeps_its_own() -> None:
    small, large = Split(("old", "new"), (95, 5)), Split(("old", "new"), (90, 10))
    for number in range(5_000):
        subject = b"%d" % number
        assert small.pick(subject) == Split(("old", "new"), (95, 5)).pick(subject)
        if small.pick(subject) == "new":
            assert large.pick(subject) == "new"


def test_routes_with_another_salt_choose_independently() -> None:
    names = (b"a-very-long-route-name-1", b"a-very-long-route-name-2")
    one, other = (Split((0, 1), (1, 1), salt=name) for name in names)
    agree = sum(one.pick(b"%d" % number) == other.pick(b"%d" % number) for number in range(10_000))
    assert 4_700 < agree < 5_300


def test_the_last_point_belongs_to_the_last_value_with_weight() -> None:
    assert Split("abc", (1, 1, 0)).at(1.0) == "b"
    assert Split("abc", (0, 1, 1)).at(0.0) == "b"


@pytest.mark.parametrize("weights", [(), (0, 0), (1, -1), (1,)])
def test_impossible_weights_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="weight"):
        Split(("a", "b"), weights)
