"""A client that is slow with its request is not the upstream's failure."""

import asyncio

from tests.gateway.test_breaker import SteppedClock
from tests.gateway.world import gateway, raw_upstream, run, service, statuses, talk, upstream

from foregate.wire.policies import CircuitBreaker as Breaker

HALF = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\nConnection: close\r\n\r\nhalf"
GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
ONE_FAILURE = Breaker(failures=1, open_s=10.0)


def test_an_upload_may_pause_longer_than_the_upstream_may_be_silent() -> None:
    async def main() -> None:
        async with (
            upstream() as (seen, port),
            gateway([service(port, breaker=ONE_FAILURE, timeout_s=0.2)]) as world,
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(HALF)
            await asyncio.sleep(0.5)
            writer.write(b"half")
            assert statuses(await reader.read()) == [200]
            assert seen.bodies == [b"halfhalf"]
            writer.close()

    run(main)


def test_a_client_that_stalls_is_told_408_and_the_circuit_stays_closed() -> None:
    async def main() -> None:
        clock = SteppedClock()
        async with (
            upstream() as (_, port),
            gateway([service(port, breaker=ONE_FAILURE, timeout_s=1.0)], clock=clock) as world,
        ):
            stalled = asyncio.get_running_loop().create_task(talk(world.port, HALF))
            await asyncio.sleep(0.2)
            clock.ahead_s = 80.0
            assert statuses(await stalled) == [408]
            assert world.event.error == "request_timeout"
            assert statuses(await talk(world.port, GET)) == [200]

    run(main)


def test_an_upstream_that_is_silent_once_it_has_all_still_times_out() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await reader.read()

    async def main() -> None:
        async with raw_upstream(silent) as port, gateway([service(port, timeout_s=0.2)]) as world:
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(HALF)
            await asyncio.sleep(0.1)
            writer.write(b"half")
            assert statuses(await reader.read()) == [504]
            writer.close()

    run(main)
