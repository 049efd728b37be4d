"""When an attempt counts as a failure: at the end of its answer, and of a whole service too."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from tests.gateway.test_breaker import SteppedClock
from tests.gateway.world import gateway, raw_upstream, run, service, upstream

from foregate.gateway import layout
from foregate.http1 import Request, Response
from foregate.kernel.errors import ForegateError
from foregate.wire.policies import CircuitBreaker, ServiceBreaker

THREE = CircuitBreaker(failures=3, open_s=10.0)


def test_a_target_that_always_breaks_off_opens_its_circuit() -> None:
    async def truncate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        await asyncio.sleep(0.05)

    async def main() -> None:
        async with raw_upstream(truncate) as port, gateway([service(port, breaker=THREE)]) as world:
            statuses = []
            for _ in range(5):
                with contextlib.suppress(ForegateError, ConnectionError):
                    answer = await world.client.request("GET", world.url())
                    statuses.append(answer.status)
                    await answer.read()
            assert statuses == [200, 200, 200, 503, 503]
            assert [what for what, _ in world.log] == ["circuit_opened"]
            state = world.gateway._table.services["svc"]
            assert state.targets[0].cells[layout.FAILURES] == 3.0

    run(main)


def test_a_trial_that_streams_for_ever_closes_the_circuit_with_its_head() -> None:
    healthy = False

    async def ticks() -> AsyncIterator[bytes]:
        while True:
            yield b"tick"
            await asyncio.sleep(0.02)

    async def answer(request: Request) -> Response:
        return Response(200, ticks()) if healthy else Response(500, b"")

    async def main() -> None:
        nonlocal healthy
        clock = SteppedClock()
        async with upstream(answer) as (_, port), gateway([service(port, breaker=THREE)], clock=clock) as world:
            for _ in range(3):
                await (await world.client.request("GET", world.url())).read()
            healthy = True
            clock.ahead_s = 10.0
            trial = await world.client.request("GET", world.url())
            beside = await world.client.request("GET", world.url())  # the circuit admits others while the trial streams
            assert (trial.status, beside.status) == (200, 200)
            assert [what for what, _ in world.log] == ["circuit_opened", "circuit_closed"]
            trial.abandon()
            beside.abandon()

    run(main)


def test_a_service_most_of_whose_answers_fail_is_left_alone_and_tried_again() -> None:
    status = 500

    async def answer(request: Request) -> Response:
        return Response(status, b"{}")

    async def main() -> None:
        nonlocal status
        clock = SteppedClock()
        never = CircuitBreaker(failures=1_000)
        breaker = ServiceBreaker(error_rate=0.5, requests_min=10, window_s=10.0, open_s=5.0)
        async with upstream(answer) as (seen, one), upstream(answer) as (also, two):
            settings = service(one, two, breaker=never, service_breaker=breaker)
            async with gateway([settings], clock=clock) as world:
                found = [(await world.client.request("GET", world.url())).status for _ in range(12)]
                assert found == [500] * 10 + [503] * 2
                assert len(seen.requests) + len(also.requests) == 10
                assert world.sink.events[-1].error == "circuit_open"
                status = 200
                clock.ahead_s = 5.0
                found = [(await world.client.request("GET", world.url())).status for _ in range(3)]
                assert found == [200] * 3
                assert [what for what, _ in world.log] == ["service_breaker_opened", "service_breaker_closed"]

    run(main)
