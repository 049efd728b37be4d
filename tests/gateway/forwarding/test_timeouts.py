"""Time limits: of one attempt, and of all of them together."""

import asyncio
import json
from collections.abc import AsyncIterator

from tests.gateway.world import gateway, raw_upstream, route, run, service, upstream

from foregate.http1 import Request, Response
from foregate.wire.policies import CircuitBreaker, Fallback, Retry, Timeouts

QUICK = Retry(attempts=5, base_s=0.01, max_s=0.01)


def limited(attempt_s: float, total_s: float | None = None):  # type: ignore[no-untyped-def]
    return [route("/", auth=(), timeouts=Timeouts(attempt_s, total_s))]


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
    await reader.read()


def test_all_attempts_together_end_at_the_total_limit() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with raw_upstream(silent) as port, gateway([service(port, retry=QUICK)], limited(0.2, 0.5)) as world:
            begun_s = loop.time()
            answer = await world.client.request("GET", world.url(), timeout_s=20)
            assert (answer.status, json.loads(await answer.read())["code"]) == (504, "upstream_timeout")
            assert 0.35 < loop.time() - begun_s < 5.0  # without it: six attempts of 0.2 s
            assert 2 <= world.event.attempts <= 3

    run(main)


def test_the_total_limit_cuts_an_attempt_that_hangs() -> None:
    async def main() -> None:
        async with raw_upstream(silent) as port:
            one = CircuitBreaker(failures=1, open_s=60.0)
            async with gateway([service(port, breaker=one)], limited(30.0, 0.2)) as world:
                answer = await world.client.request("GET", world.url(), timeout_s=20)
                assert answer.status == 504
                await answer.read()
                assert "timeouts:total" in world.event.policies
                assert [what for what, _ in world.log] == ["circuit_opened"]  # it had all of that time to itself
                state = world.gateway._table.services["svc"]
                assert (state.inflight, state.targets[0].inflight) == (0, 0)

    run(main)


def test_a_slow_attempt_makes_room_for_another() -> None:
    async def second_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if number:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await reader.read()

    async def main() -> None:
        async with raw_upstream(second_answers) as port, gateway([service(port, retry=QUICK)], limited(0.2)) as world:
            answer = await world.client.request("GET", world.url(), timeout_s=20)
            assert (answer.status, await answer.read(), world.event.attempts) == (200, b"ok", 2)

    run(main)


def test_a_stream_may_last_longer_than_the_total_limit() -> None:
    async def ticks() -> AsyncIterator[bytes]:
        for _ in range(6):
            yield b"tick"
            await asyncio.sleep(0.1)

    async def answer(request: Request) -> Response:
        return Response(200, ticks())

    async def main() -> None:
        async with upstream(answer) as (_, port), gateway([service(port)], limited(30.0, 0.25)) as world:
            assert await (await world.client.request("GET", world.url())).read() == b"tick" * 6
            assert world.event.error == ""

    run(main)


def test_a_fallback_service_has_its_own_time() -> None:
    async def slowly(request: Request) -> Response:
        await asyncio.sleep(0.15)
        return Response(200, b"spare")

    async def main() -> None:
        async with raw_upstream(silent) as port, upstream(slowly) as (_, spare):
            services = [service(port, fallback=Fallback(service="spare")), service(spare, name="spare")]
            async with gateway(services, limited(30.0, 0.6)) as world:
                answer = await world.client.request("GET", world.url(), timeout_s=20)
                assert (answer.status, await answer.read()) == (200, b"spare")

    run(main)
