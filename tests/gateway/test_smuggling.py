"""Mutated requests with a fixed seed through the whole gateway: one message in is never two messages out."""

import asyncio
import contextlib
import random
import re

from tests.gateway.world import gateway, run, service, upstream
from tests.http1.test_fuzz import mutate

from foregate.http1 import Request, Response

SEED = 4
CONNECTIONS = 1_500
AT_ONCE = 25
QUIET_S = 0.05


async def send(port: int, data: bytes) -> bytes:
    """What the gateway answers until it closes or falls silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    with contextlib.suppress(ConnectionError, TimeoutError):
        writer.write(data)
        while piece := await asyncio.wait_for(reader.read(65_536), QUIET_S):
            answer += piece
    writer.close()
    return answer


def test_the_upstream_sees_no_more_requests_than_the_gateway_accounts_for() -> None:
    framings: list[tuple[str | None, str | None]] = []

    async def answer(request: Request) -> Response:
        framings.append((request.header("content-length"), request.header("transfer-encoding")))
        await request.body()
        return Response(200, b"fine", [])

    async def main() -> None:
        rng = random.Random(SEED)
        refused = 0
        async with upstream(answer) as (seen, port), gateway([service(port)]) as world:
            for _ in range(CONNECTIONS // AT_ONCE):
                answers = await asyncio.gather(*[send(world.port, mutate(rng)) for _ in range(AT_ONCE)])
                refused += sum(b"HTTP/1.1 4" in each for each in answers)
                for each in answers:
                    assert re.match(rb"HTTP/1\.1 (100|200|4\d\d) |$", each), each
            healthy = await world.client.request("GET", world.url("/still-there"))
            assert (healthy.status, await healthy.read()) == (200, b"fine")
        attempted = sum(event.attempts for event in world.sink.events)  # now that every connection is closed
        assert len(seen.requests) <= attempted  # an attempt may end before its head is sent, never the other way round
        assert all(length is None or coding is None for length, coding in framings)
        assert refused > CONNECTIONS // 4
        assert len(seen.requests) > CONNECTIONS // 4

    run(main, 60)
