"""The Bloom filter holds to its published bound, and says yes to all it has."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.kernel.bloom import Bloom, RotatingBloom

ASKED = 100_000


def measured(filter_: Bloom | RotatingBloom, seed: int) -> float:
    """The share of items that were never added and seem to be there."""
    rng = random.Random(seed)
    return sum(b"other-%d" % rng.getrandbits(64) in filter_ for _ in range(ASKED)) / ASKED


@pytest.mark.parametrize("share", [0.1, 0.01, 0.001])
@pytest.mark.parametrize("items", [1_000, 20_000])
def test_when_full_its_false_positives_are_what_was_asked_for_and_what_it_says(items: int, share: float) -> None:
    filter_ = Bloom(items, share, b"seed")
    for number in range(items):
        filter_.add(b"item-%d" % number)
    assert all(b"item-%d" % number in filter_ for number in range(items))
    # Four standard deviations of a sample of this size; the bound itself is an approximation good to a few percent.
    allowed = 4 * (share / ASKED) ** 0.5
    found = measured(filter_, seed=1)
    assert found <= share * 1.05 + allowed
    assert filter_.false_positive_share == pytest.approx(share, rel=0.1)
    assert found == pytest.approx(filter_.false_positive_share, abs=0.1 * share + allowed)


def test_it_takes_the_bits_that_theory_says() -> None:
    assert Bloom(100_000, 0.001, b"").bytes_used == pytest.approx(100_000 * 14.378 / 8, rel=0.001)


@settings(derandomize=True, max_examples=50, deadline=None)
@given(st.binary(max_size=16), st.sets(st.binary(max_size=40), max_size=300), st.integers(50, 300))
def test_it_never_says_no_to_what_it_has(seed: bytes, items: set[bytes], items_max: int) -> None:
    filter_ = Bloom(items_max, 0.01, seed)
    for item in items:
        filter_.add(item)
        assert not filter_.add(item)
    assert all(item in filter_ for item in items)


def test_whoever_does_not_know_the_seed_cannot_choose_what_collides() -> None:
    one, other = Bloom(1_000, 0.01, b"one"), Bloom(1_000, 0.01, b"other")
    for number in range(1_000):
        one.add(b"item-%d" % number)
        other.add(b"item-%d" % number)
    rng = random.Random(5)
    colliding = [item for _ in range(50_000) if (item := b"%d" % rng.getrandbits(64)) in one]
    assert sum(item in other for item in colliding) < len(colliding) * 0.1


def test_two_generations_keep_the_newest_and_stay_within_the_share() -> None:
    items, share = 10_000, 0.01
    filter_ = RotatingBloom(items, share, b"seed")
    for number in range(10 * items + 1_234):
        filter_.add(b"item-%d" % number)
        assert len(filter_) <= items
    newest = range(10 * items + 1_234 - items // 2, 10 * items + 1_234)
    assert all(b"item-%d" % number in filter_ for number in newest)
    assert sum(b"item-%d" % number in filter_ for number in range(items)) < items * share * 2
    assert measured(filter_, seed=2) <= share * 1.05
    assert filter_.false_positive_share <= share * 1.05


def test_a_rotation_forgets_what_was_not_added_since_the_last_one() -> None:
    filter_ = RotatingBloom(100, 0.001, b"")
    assert filter_.add(b"old")
    filter_.rotate()
    assert not filter_.add(b"old")
    assert filter_.add(b"new")
    filter_.rotate()
    assert b"old" in filter_  # added again
    filter_.rotate()
    assert (b"old" in filter_, b"new" in filter_, len(filter_)) == (False, False, 0)
