"""Retries stay a share of the traffic, those that wait included."""

import random

from hypothesis import given
from hypothesis import strategies as st

from foregate.gateway.policies.retry_budget import WINDOW_S, RetryBudget


def test_the_minimum_is_always_allowed_at_the_same_time() -> None:
    budget = RetryBudget()
    assert [budget.take(0.0, 1, 1, 0.2, 3) for _ in range(5)] == [True, True, True, False, False]
    budget.give_back(0.1)
    assert budget.take(0.1, 1, 1, 0.2, 3)


def test_a_retry_that_waits_counts_from_the_moment_it_is_planned() -> None:
    budget = RetryBudget()
    granted = sum(budget.take(1.0, 100, 100, 0.2, 0) for _ in range(100))  # none of them has been sent
    assert granted == 20


def test_retries_that_have_ended_count_for_the_window_and_no_longer() -> None:
    budget = RetryBudget()
    assert sum(budget.take(1.0, 100, 0, 0.2, 0) for _ in range(30)) == 20
    for _ in range(20):
        budget.give_back(1.5)
    assert not budget.take(2.0, 100, 0, 0.2, 0)
    assert budget.take(2.0 + WINDOW_S, 200, 100, 0.2, 0)


def test_without_traffic_only_the_minimum_is_left() -> None:
    budget = RetryBudget()
    assert budget.take(0.0, 1_000, 0, 0.2, 0)
    budget.give_back(0.0)
    assert not budget.take(60.0, 1_000, 0, 0.2, 0)
    assert budget.take(60.0, 1_000, 0, 0.2, 1)


def test_a_long_silence_of_the_budget_is_averaged_not_summed() -> None:
    budget = RetryBudget()
    assert not budget.take(0.0, 0, 0, 0.2, 0)
    granted = sum(budget.take(1_000.0, 100_000, 0, 0.2, 0) for _ in range(5_000))  # 100/s since then
    assert 150 <= granted <= 250


@given(st.integers(0, 2**32), st.sampled_from([0.1, 0.2, 0.5]), st.integers(0, 5))
def test_in_a_total_outage_retries_never_exceed_the_share(seed: int, share: float, minimum: int) -> None:
    rng, budget = random.Random(seed), RetryBudget()
    now_s, begun, retries, ends = 0.0, 0, 0, []
    while now_s < 60.0:
        now_s += rng.expovariate(40.0)
        for end_s in sorted(at_s for at_s in ends if at_s <= now_s):
            budget.give_back(end_s)
        ends = [at_s for at_s in ends if at_s > now_s]
        begun += 1
        if budget.take(now_s, begun, len(ends), share, minimum):
            retries += 1
            ends.append(now_s + rng.uniform(0.1, 3.0))
            assert budget.active == len(ends)
    # `minimum` places, each used again every 0.1 s at the soonest, are the most that may come on top
    assert retries <= share * begun * 1.1 + minimum * 60.0 / 0.1 + 5
    if not minimum:
        assert retries >= share * begun * 0.7
