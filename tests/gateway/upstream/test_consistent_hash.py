"""Consistent hashing: the same everywhere, few move, nobody beyond the bound."""

import random
import subprocess
import sys
from collections import Counter
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.upstream.making import Fake, fakes

from foregate.gateway.upstream.balance.consistent_hash import RING_PLACES_MAX, ConsistentHash, places, position

SUBJECTS = [b"user-%d" % number for number in range(4_000)]


def ring(targets: list[Fake], load_bound: float = 1.25, virtual_nodes: int = 160) -> ConsistentHash[Fake]:
    made: ConsistentHash[Fake] = ConsistentHash(virtual_nodes, load_bound, random.Random(1))
    made.use(targets)
    return made


def owners(made: ConsistentHash[Fake]) -> list[str]:
    chosen = [made.choose(0.0, subject, None) for subject in SUBJECTS]
    return [target.url for target in chosen if target is not None]


@given(gone=st.integers(0, 9))
@settings(max_examples=10, deadline=None)
def test_when_one_of_ten_leaves_only_its_own_subjects_move(gone: int) -> None:
    targets = fakes([1] * 10)
    before = owners(ring(targets))
    left = targets[gone].url
    after = owners(ring([target for target in targets if target.url != left]))
    moved = [a for a, b in zip(before, after, strict=True) if a != b]
    assert set(moved) <= {left}
    assert len(moved) / len(SUBJECTS) <= 0.1 + 0.03


def test_a_new_target_takes_its_share_from_all_and_moves_nothing_between_others() -> None:
    targets = fakes([1] * 11)
    before, after = owners(ring(targets[:10])), owners(ring(targets))
    moved = [b for a, b in zip(before, after, strict=True) if a != b]
    assert set(moved) == {targets[10].url}
    assert len(moved) / len(SUBJECTS) <= 1 / 11 + 0.03


@given(weights=st.lists(st.integers(1, 5), min_size=2, max_size=8))
@settings(max_examples=20, deadline=None)
def test_shares_follow_weights(weights: list[int]) -> None:
    counted = Counter(owners(ring(fakes(weights))))
    for target, weight in zip(fakes(weights), weights, strict=True):
        fair = weight / sum(weights)
        assert counted[target.url] / len(SUBJECTS) == pytest.approx(fair, rel=0.45, abs=0.02)


@given(
    weights=st.lists(st.integers(1, 4), min_size=2, max_size=6),
    load_bound=st.floats(1.05, 3.0),
    seed=st.integers(0, 1_000),
)
@settings(max_examples=40, deadline=None)
def test_no_target_ever_has_more_than_its_bound(weights: list[int], load_bound: float, seed: int) -> None:
    targets, rng = fakes(weights), random.Random(seed)
    made = ring(targets, load_bound, 20)
    total, under_way = sum(weights), []
    for _ in range(300):
        if under_way and rng.random() < 0.3:
            under_way.pop(rng.randrange(len(under_way))).inflight -= 1
        subject = rng.choice([b"hot", b"warm", b"%d" % rng.randrange(100)])  # most of it for two subjects
        chosen = made.choose(0.0, subject, None)
        assert chosen is not None
        chosen.inflight += 1
        under_way.append(chosen)
        bound = ceil(load_bound * len(under_way) * chosen.weight / total)
        assert chosen.inflight <= bound


def test_an_open_circuit_moves_its_subjects_to_the_next_on_the_ring_and_back() -> None:
    targets = fakes([1] * 5)
    made = ring(targets)
    before = owners(made)
    targets[2].open_circuit()
    during = owners(made)
    assert {a for a, b in zip(before, during, strict=True) if a != b} == {targets[2].url}
    targets[2].circuit = fakes([1])[0].circuit
    assert owners(made) == before


def test_a_target_that_warms_up_gets_ever_the_same_part_of_its_subjects() -> None:
    targets = fakes([1] * 4)
    made = ring(targets)
    before = owners(made)
    targets[0].warming, targets[0].warmth = True, 0.3
    cold = {s for s, a in zip(SUBJECTS, owners(made), strict=True) if a == targets[0].url}
    targets[0].warmth = 0.6
    warmer = {s for s, a in zip(SUBJECTS, owners(made), strict=True) if a == targets[0].url}
    all_of_it = {s for s, a in zip(SUBJECTS, before, strict=True) if a == targets[0].url}
    assert cold < warmer < all_of_it
    assert len(cold) / len(all_of_it) == pytest.approx(0.3, abs=0.08)


def test_every_process_has_the_same_ring() -> None:
    code = (
        "from foregate.gateway.upstream.balance.consistent_hash import places, position;"
        "print(position(b'user-1'), sum(places('http://a:1', 160)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert found.split() == [str(position(b"user-1")), str(sum(places("http://a:1", 160)))]


def test_fewer_places_are_the_first_of_more_so_that_a_changed_weight_moves_little() -> None:
    assert places("http://a:1", 160) == places("http://a:1", 480)[:160]


def test_a_ring_has_a_bound() -> None:
    made = ring(fakes([1_000, 1_000, 1]))
    assert len(made._ring) <= RING_PLACES_MAX + 3
    assert Counter(id(owner) for owner in made._owners)[id(made.targets[2])] >= 1


def test_without_a_subject_a_request_goes_anywhere() -> None:
    targets = fakes([1] * 4)
    made = ring(targets)
    assert len({made.choose(0.0, None, None) for _ in range(200)}) == 4  # type: ignore[type-var]
