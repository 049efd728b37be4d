"""The circuit of one target as a decision over time."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from foregate.gateway.policies.breaker import Circuit
from foregate.wire.policies import CircuitBreaker

SETTINGS = CircuitBreaker(failures=3, open_s=10.0)
BY_SHARE = CircuitBreaker(failures=1_000, error_rate=0.5, window=10, open_s=10.0)


def fail(circuit: Circuit, times: int, now_s: float) -> None:
    for _ in range(times):
        circuit.enter(now_s)
        circuit.failed(now_s)


def test_it_opens_after_failures_in_a_row_and_only_then() -> None:
    circuit = Circuit(SETTINGS)
    for _ in range(5):
        fail(circuit, 2, 0.0)
        circuit.enter(0.0)
        circuit.succeeded()
    assert circuit.state == "closed"
    fail(circuit, 3, 0.0)
    assert circuit.state == "open"
    assert not circuit.admits(9.9)


def test_it_opens_at_a_share_of_the_last_answers() -> None:
    circuit = Circuit(BY_SHARE)
    for _ in range(20):  # 4 of each 10 fail: below the share
        fail(circuit, 2, 0.0)
        for _ in range(3):
            circuit.succeeded()
    assert circuit.state == "closed"
    circuit = Circuit(BY_SHARE)
    for _ in range(4):
        fail(circuit, 1, 0.0)
        circuit.succeeded()
    assert circuit.state == "closed"
    fail(circuit, 1, 0.0)
    assert circuit.state == "open"


def test_after_open_s_one_trial_decides() -> None:
    for succeeded in (True, False):
        circuit = Circuit(SETTINGS)
        fail(circuit, 3, 0.0)
        assert circuit.admits(10.0)
        assert circuit.enter(10.0) == "half_open"
        assert not circuit.admits(10.0)  # one trial, not a herd
        if succeeded:
            assert circuit.succeeded()
            assert circuit.state == "closed"
            assert circuit.steady
        else:
            assert circuit.failed(10.0)
            assert not circuit.admits(19.9)
            assert circuit.admits(20.0)


def test_a_trial_whose_client_left_makes_room_for_the_next() -> None:
    circuit = Circuit(SETTINGS)
    fail(circuit, 3, 0.0)
    circuit.enter(10.0)
    circuit.left()
    assert circuit.admits(10.0)


def test_a_trial_that_does_not_end_makes_room_for_the_next() -> None:
    circuit = Circuit(SETTINGS)
    fail(circuit, 3, 0.0)
    circuit.enter(10.0)
    assert not circuit.admits(19.9)
    assert circuit.admits(20.0)
    circuit.enter(20.0)
    assert not circuit.admits(20.0)
    assert circuit.succeeded()
    assert circuit.failed(21.0) is False  # the first one's end, too late to decide
    assert circuit.state == "closed"


def test_other_settings_keep_the_state() -> None:
    circuit = Circuit(SETTINGS)
    fail(circuit, 3, 0.0)
    circuit.adopt(CircuitBreaker(failures=50, open_s=1.0))
    assert circuit.state == "open"
    assert not circuit.admits(9.9)
    circuit = Circuit(SETTINGS)
    fail(circuit, 2, 0.0)
    circuit.adopt(CircuitBreaker(failures=3, open_s=1.0))
    fail(circuit, 1, 0.0)
    assert circuit.state == "open"


@given(st.lists(st.sampled_from(["ok", "fail", "leave", "hang", "wait"]), max_size=80))
def test_an_open_circuit_always_gets_another_trial(steps: list[str]) -> None:
    circuit, now_s = Circuit(SETTINGS), 0.0
    for step in steps:
        if step == "wait":
            now_s += 4.0
        elif circuit.admits(now_s):
            circuit.enter(now_s)
            if step != "hang":
                {"ok": circuit.succeeded, "fail": lambda: circuit.failed(now_s), "leave": circuit.left}[step]()  # noqa: B023
    assert circuit.admits(now_s + SETTINGS.open_s)


@given(st.lists(st.booleans(), max_size=200), st.integers(2, 12), st.sampled_from([0.2, 0.5, 1.0]), st.integers(1, 6))
def test_not_telling_a_steady_circuit_of_successes_changes_nothing(
    failures: list[bool], window: int, share: float, in_a_row: int
) -> None:
    circuit = Circuit(CircuitBreaker(failures=in_a_row, error_rate=share, window=window, open_s=10.0))
    last: deque[bool] = deque([False] * window, maxlen=window)
    row = 0
    for failed in failures:
        last.append(failed)
        row = row + 1 if failed else 0
        if failed:
            circuit.failed(0.0)
        elif not circuit.steady:
            circuit.succeeded()
        expected = failed and (sum(last) >= share * window or row >= in_a_row)
        assert (circuit.state == "open") is expected
        if expected:
            return
