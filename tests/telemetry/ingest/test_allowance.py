"""A key's items per second: in one process and in several, and what was refused does not count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foregate.telemetry.ingest.allowance import Allowance

moves = st.lists(st.tuples(st.floats(0.0, 0.5), st.integers(1, 100), st.integers(0, 1)), max_size=200)


@given(moves)
def test_two_processes_together_let_no_more_pass_than_rate_and_burst(moves: list[tuple[float, int, int]]) -> None:
    taken, now_s = 0.0, 0.0
    processes = [Allowance(100.0, taken, now_s), Allowance(100.0, taken, now_s)]
    for gap_s, items, which in moves:
        now_s += gap_s
        if processes[which].wait_s(items, taken, now_s) == 0.0:
            taken += items
        assert taken <= 100.0 + 100.0 * now_s + 1e-6


@given(moves)
def test_after_the_wait_that_was_told_the_same_items_pass(moves: list[tuple[float, int, int]]) -> None:
    taken, now_s = 0.0, 0.0
    allowance = Allowance(100.0, taken, now_s)
    for gap_s, items, _ in moves:
        now_s += gap_s
        wait_s = allowance.wait_s(items, taken, now_s)
        if wait_s:
            now_s += wait_s + 1e-6
            assert allowance.wait_s(items, taken, now_s) == 0.0
        taken += items


def test_what_is_refused_again_and_again_uses_nothing_up() -> None:
    allowance = Allowance(10.0, 0.0, 0.0)
    assert allowance.wait_s(10, 0.0, 0.0) == 0.0
    for at in range(100):
        assert allowance.wait_s(10, 10.0, at * 0.009) > 0.0
    assert allowance.wait_s(10, 10.0, 1.001) == 0.0


def test_a_post_larger_than_the_bucket_passes_when_it_is_full_and_leaves_a_debt() -> None:
    allowance = Allowance(10.0, 0.0, 0.0)
    assert allowance.wait_s(50, 0.0, 0.0) == 0.0
    assert allowance.wait_s(1, 50.0, 1.0) == pytest.approx(3.1)
    assert allowance.wait_s(1, 50.0, 4.2) == 0.0
