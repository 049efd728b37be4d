"""Power of two choices by peak EWMA, in a simulated queueing world with seeds."""

import heapq
import random
from array import array
from itertools import count

import pytest
from tests.gateway.upstream.making import Held, fakes, service, tcp

from foregate.gateway.upstream import TargetState
from foregate.gateway.upstream.balance.p2c_ewma import DECAY_S, SINK_S, UNKNOWN_S, cost
from foregate.gateway.upstream.target import FAILURE_S, LATENCY_MAX_S
from foregate.wire.snapshot import Balance, BalanceAlgorithm


def simulate(algorithm: BalanceAlgorithm, speeds_s: list[float], seed: int, rate: float = 200.0) -> dict[str, float]:
    """20 virtual seconds; target i serves 4 at a time with exponential times of mean speeds_s[i]. p99 and shares."""
    rng = random.Random(seed)
    targets = [tcp(9_000 + index) for index in range(len(speeds_s))]
    held = Held()
    state = held.services.apply([service(*targets, balance=Balance(algorithm=algorithm))], held.cells_of)["svc"]
    free_s = {target.url: [0.0] * 4 for target in state.targets}
    speed = {target.url: speed_s for target, speed_s in zip(state.targets, speeds_s, strict=True)}
    ends: list[tuple[float, int, TargetState, float]] = []
    number, now_s, took, slow = count(), 0.0, array("d"), 0
    while now_s < 20.0:
        now_s += rng.expovariate(rate)
        while ends and ends[0][0] <= now_s:
            end_s, _, target, began_s = heapq.heappop(ends)
            target.ended(end_s, True, end_s - began_s)
            took.append(end_s - began_s)
        chosen = state.choose(now_s, None, None)
        assert chosen is not None
        chosen.began(now_s)
        slow += chosen is state.targets[0]
        start_s = max(now_s, heapq.heappop(free_s[chosen.url]))
        end_s = start_s + rng.expovariate(1.0 / speed[chosen.url])
        heapq.heappush(free_s[chosen.url], end_s)
        heapq.heappush(ends, (end_s, next(number), chosen, now_s))
    ordered = sorted(took)
    return {"p99": ordered[int(len(ordered) * 0.99)], "slow": slow / (len(took) + len(ends))}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_one_slow_of_five_is_avoided_and_p99_is_far_below_round_robins(seed: int) -> None:
    speeds_s = [0.1, 0.02, 0.02, 0.02, 0.02]
    turns, choices = simulate("round_robin", speeds_s, seed), simulate("p2c_ewma", speeds_s, seed)
    assert turns["slow"] == pytest.approx(0.2, abs=0.01)
    assert choices["slow"] < 0.06
    assert choices["p99"] < 0.6 * turns["p99"]


def state() -> TargetState:
    held = Held()
    return held.services.apply([service(tcp(9_000))], held.cells_of)["svc"].targets[0]


def attempt(target: TargetState, now_s: float, ok: bool | None, seconds: float) -> None:
    target.began(now_s - seconds)
    target.ended(now_s, ok, seconds)


def test_latency_jumps_up_at_once_and_sinks_slowly() -> None:
    target = state()
    for step in range(100):
        attempt(target, step * 0.1, True, 0.010)
    assert target.latency_s == pytest.approx(0.010)
    attempt(target, 10.0, True, 0.500)
    assert target.latency_s == 0.5
    for step in range(int(SINK_S * 10)):
        attempt(target, 10.1 + step * 0.1, True, 0.010)
    assert 0.010 + 0.49 * 0.3 < target.latency_s < 0.010 + 0.49 * 0.42  # about 1/e of the peak is left


def test_who_fails_at_once_does_not_look_fast() -> None:
    target = state()
    attempt(target, 1.0, True, 0.010)
    attempt(target, 1.1, False, 0.001)
    assert target.latency_s == FAILURE_S
    attempt(target, 1.2, False, 0.001)
    assert target.latency_s == 2.0 * FAILURE_S
    for step in range(20):
        attempt(target, 2.0 + step, False, 0.001)
    assert target.latency_s == LATENCY_MAX_S


def test_a_client_that_left_says_nothing_about_the_target() -> None:
    target = state()
    attempt(target, 1.0, True, 0.010)
    attempt(target, 2.0, None, 9.0)
    assert (target.latency_s, target.sampled_s, target.inflight) == (0.010, 1.0, 0)


def test_who_was_slow_is_tried_again_after_a_while() -> None:
    slow, fast = fakes([1, 1])
    slow.latency_s, fast.latency_s = 0.1, 0.02
    assert cost(slow, 1.0) > cost(fast, 0.0)
    assert cost(slow, 2.0 * DECAY_S) < cost(fast, 0.0)


def test_a_target_that_has_not_answered_yet_is_asked_once() -> None:
    known, unknown = fakes([1, 1])
    known.latency_s = 0.010
    assert cost(unknown, 0.0) == 0.0 < cost(known, 0.0)
    unknown.inflight = 1
    assert cost(unknown, 0.0) == UNKNOWN_S > cost(known, 0.0)
