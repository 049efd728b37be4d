"""The circuit breaker: as a decision over time, and as a client meets it."""

import json

from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.world import free_port, gateway, run, service, upstream

from foregate.gateway.policies.breaker import Circuit
from foregate.http1 import Request, Response
from foregate.kernel.clock import SystemClock
from foregate.wire.policies import CircuitBreaker as Breaker

SETTINGS = Breaker(failures=3, open_s=10.0)


class SteppedClock:
    """Runs as the machine's clock does, and can be set forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> float:
        return SystemClock.now() + self.ahead_s

    def monotonic(self) -> float:
        return SystemClock.monotonic() + self.ahead_s


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


def test_an_open_circuit_answers_503_without_asking_the_upstream_and_recovers() -> None:
    healthy = False

    async def answer(request: Request) -> Response:
        return Response(200 if healthy else 500, b"{}")

    async def main() -> None:
        nonlocal healthy
        clock = SteppedClock()
        async with upstream(answer) as (seen, port), gateway([service(port, breaker=SETTINGS)], clock=clock) as world:
            found = []
            for _ in range(5):
                response = await world.client.request("GET", world.url())
                found.append((response.status, await response.read()))
            assert [status for status, _ in found] == [500, 500, 500, 503, 503]
            assert json.loads(found[-1][1])["code"] == "circuit_open"
            assert response.header("retry-after") == "10"
            assert len(seen.requests) == 3
            refused = world.sink.events[-1]
            assert (refused.breaker, refused.error, refused.attempts) == ("open", "circuit_open", 0)
            assert [what for what, _ in world.log] == ["circuit opened"]
            metrics = await (await world.client.request("GET", world.url("/metrics"))).read()
            assert b'foregate_breaker_state{service="svc",target="http://127.0.0.1:%d"} 1' % port in metrics
            healthy = True
            clock.ahead_s = 10.0
            statuses = [(await world.client.request("GET", world.url())).status for _ in range(3)]
            assert statuses == [200, 200, 200]
            assert [event.breaker for event in world.sink.events[-3:]] == ["half_open", "closed", "closed"]
            assert [what for what, _ in world.log] == ["circuit opened", "circuit closed"]

    run(main)


def test_a_target_whose_circuit_is_open_is_passed_by() -> None:
    async def main() -> None:
        async with upstream() as (seen, port), gateway([service(free_port(), port, breaker=SETTINGS)]) as world:
            statuses = []
            for _ in range(30):
                response = await world.client.request("GET", world.url())
                await response.read()
                statuses.append(response.status)
            assert statuses.count(502) == 3
            assert statuses[-15:] == [200] * 15
            assert len(seen.requests) == 27

    run(main)


def test_a_4xx_is_no_failure() -> None:
    async def answer(request: Request) -> Response:
        return Response(404, b"{}")

    async def main() -> None:
        async with upstream(answer) as (_, port), gateway([service(port, breaker=SETTINGS)]) as world:
            assert [(await world.client.request("GET", world.url())).status for _ in range(6)] == [404] * 6

    run(main)
