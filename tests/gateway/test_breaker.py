"""The circuit breaker as a client meets it; as a decision over time: policies/test_breaker.py."""

import json

from tests.gateway.world import gateway, refusing_port, run, service, upstream

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
            assert [what for what, _ in world.log] == ["circuit_opened"]
            metrics = await (await world.client.request("GET", world.url("/metrics"))).read()
            assert b'foregate_breaker_state{service="svc",target="http://127.0.0.1:%d"} 1' % port in metrics
            healthy = True
            clock.ahead_s = 10.0
            statuses = [(await world.client.request("GET", world.url())).status for _ in range(3)]
            assert statuses == [200, 200, 200]
            assert [event.breaker for event in world.sink.events[-3:]] == ["half_open", "closed", "closed"]
            assert [what for what, _ in world.log] == ["circuit_opened", "circuit_closed"]

    run(main)


def test_a_target_whose_circuit_is_open_is_passed_by() -> None:
    async def main() -> None:
        async with upstream() as (seen, port), gateway([service(refusing_port(), port, breaker=SETTINGS)]) as world:
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
