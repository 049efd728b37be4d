"""What all algorithms promise: shares by weight, no open circuit, nobody avoided, slow start."""

import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gateway.upstream.making import Fake, fakes

from foregate.gateway.upstream.balance import Balancer, make_balancer
from foregate.gateway.upstream.balance.order import ORDER_ITEMS_MAX, smooth_order
from foregate.gateway.upstream.balance.slow_start import FLOOR, ramp
from foregate.wire.snapshot import Balance, BalanceAlgorithm

TURNING: list[BalanceAlgorithm] = ["round_robin", "least_requests", "random", "p2c_ewma"]
ALL: list[BalanceAlgorithm] = [*TURNING, "consistent_hash"]
WEIGHTS = st.lists(st.integers(1, 9), min_size=2, max_size=8)


def balancer(algorithm: BalanceAlgorithm, targets: list[Fake], seed: int = 3) -> Balancer[Fake]:
    made: Balancer[Fake] = make_balancer(Balance(algorithm=algorithm), random.Random(seed))
    made.use(targets)
    return made


def shares(made: Balancer[Fake], targets: list[Fake], choices: int) -> list[float]:
    """Of requests that end at once, by target."""
    counted = Counter(id(made.choose(0.0, None, None)) for _ in range(choices))
    return [counted[id(target)] / choices for target in targets]


@pytest.mark.parametrize("algorithm", TURNING)
@given(weights=WEIGHTS)
@settings(max_examples=25, deadline=None)
def test_shares_follow_weights(algorithm: BalanceAlgorithm, weights: list[int]) -> None:
    targets = fakes(weights)
    found = shares(balancer(algorithm, targets), targets, 4_000)
    for share, weight in zip(found, weights, strict=True):
        assert share == pytest.approx(weight / sum(weights), abs=0.05)


@given(weights=WEIGHTS)
def test_one_period_of_turns_is_exact_and_mixed(weights: list[int]) -> None:
    order = smooth_order(weights)
    counted = Counter(order)
    assert all(counted[a] * weights[b] == counted[b] * weights[a] for a in counted for b in counted)
    heaviest = max(range(len(weights)), key=weights.__getitem__)
    gap_max = -(-len(order) // counted[heaviest]) + len(weights)  # nobody waits for a whole run of the others
    doubled = [at for at, index in enumerate(order + order) if index == heaviest]
    assert max(b - a for a, b in pairwise(doubled)) <= gap_max


def test_huge_weights_are_scaled_down_and_nobody_gets_nothing() -> None:
    counted = Counter(smooth_order([1_000_000, 999_999, 1]))
    assert sum(counted.values()) <= ORDER_ITEMS_MAX + 3
    assert counted[2] >= 1
    assert counted[0] == pytest.approx(counted[1], abs=1)


@pytest.mark.parametrize("algorithm", ALL)
@given(weights=WEIGHTS, data=st.data())
@settings(max_examples=40, deadline=None)
def test_no_open_circuit_and_nobody_to_be_avoided_is_ever_chosen(
    algorithm: BalanceAlgorithm, weights: list[int], data: st.DataObject
) -> None:
    targets = fakes(weights)
    shut = data.draw(st.sets(st.sampled_from(range(len(targets)))))
    avoid = data.draw(st.sampled_from([None, *targets]))
    for index, target in enumerate(targets):
        target.inflight = data.draw(st.integers(0, 9))
        target.warming = data.draw(st.booleans())
        target.warmth = data.draw(st.floats(0.05, 1.0))
        if index in shut:
            target.open_circuit()
    able = [target for index, target in enumerate(targets) if index not in shut and target is not avoid]
    made = balancer(algorithm, targets)
    for number in range(20):
        found = made.choose(0.0, b"%d" % number, avoid)
        assert (found in able) if able else (found is None)


@pytest.mark.parametrize("algorithm", TURNING)
def test_a_target_that_warms_up_gets_its_share_of_its_share(algorithm: BalanceAlgorithm) -> None:
    targets = fakes([1, 1, 1, 1])
    targets[0].warming, targets[0].warmth = True, 0.2
    found = shares(balancer(algorithm, targets), targets, 8_000)
    assert 0.03 <= found[0] <= 0.09, found  # 0.05 of all, where it will have 0.25


@pytest.mark.parametrize("algorithm", ALL)
def test_when_all_warm_up_requests_still_go_somewhere(algorithm: BalanceAlgorithm) -> None:
    targets = fakes([1, 1])
    for target in targets:
        target.warming, target.warmth = True, 0.05
    assert all(balancer(algorithm, targets).choose(0.0, b"x", None) is not None for _ in range(50))


def test_the_ramp_is_linear_from_its_floor_to_all() -> None:
    assert ramp(0.0, 10.0) == FLOOR
    assert ramp(5.0, 10.0) == 0.5
    assert ramp(10.0, 10.0) == ramp(99.0, 10.0) == ramp(0.0, 0.0) == 1.0


def test_least_requests_fills_up_by_weight() -> None:
    targets = fakes([1, 3])
    made = balancer("least_requests", targets)
    for _ in range(80):
        chosen = made.choose(0.0, None, None)
        assert chosen is not None
        chosen.inflight += 1
    assert [target.inflight for target in targets] == [20, 60]


def test_least_requests_passes_by_the_busy_one() -> None:
    targets = fakes([1, 1, 1])
    targets[1].inflight = 5
    made = balancer("least_requests", targets)
    assert all(made.choose(0.0, None, None) is not targets[1] for _ in range(30))
