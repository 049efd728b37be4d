"""Connections come and go by the million: what is left of each for the collector would be a worker's memory."""

import asyncio
import gc

from tests.gateway.world import World, gateway, raw_upstream, route, run, service, talk, upstream

from foregate.http1 import Request, Response
from foregate.http1.client import ClientConnection
from foregate.http1.exchange import Exchange
from foregate.http1.server import ServerConnection
from foregate.wire.policies import CircuitBreaker

HEAD = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"


async def visit(world: World, leaves_early: bool) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
    writer.write(HEAD)
    if leaves_early:
        await asyncio.sleep(0.02)
        writer.transport.abort()
    else:
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        writer.close()


def alive(world: World) -> int:
    """Connections of clients to the gateway, and of the gateway to upstreams."""
    own = world.gateway._listening._contexts
    return sum(
        isinstance(each, ClientConnection) or (isinstance(each, ServerConnection) and each.context in own)
        for each in gc.get_objects()
    )


def test_connections_that_are_over_leave_nothing_to_the_collector() -> None:
    slow = False

    async def answer(request: Request) -> Response:
        if slow:
            await asyncio.sleep(0.1)
        return Response(200, b"{}")

    async def main() -> None:
        nonlocal slow
        async with upstream(answer) as (_, port), gateway([service(port)], [route("/", auth=())]) as world:
            await visit(world, leaves_early=False)
            before = alive(world)
            for slow in (False, True):
                for _ in range(30):
                    await visit(world, leaves_early=slow)
            until_s = asyncio.get_running_loop().time() + 20.0
            while alive(world) > before + 5 and asyncio.get_running_loop().time() < until_s:
                await asyncio.sleep(0.05)
            assert alive(world) <= before + 5  # idle ones to the upstream

    gc.collect()
    gc.disable()
    try:
        run(main)
    finally:
        gc.enable()


def test_answers_that_break_off_leave_nothing_to_the_collector() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
        await writer.drain()

    async def main() -> None:
        async with (
            raw_upstream(cut) as port,
            gateway([service(port, breaker=CircuitBreaker(failures=100))], [route("/", auth=())]) as world,
        ):
            for _ in range(20):
                await talk(world.port, HEAD)
            assert {event.error for event in world.sink.events} == {"upstream_truncated"}
            assert sum(isinstance(each, Exchange) for each in gc.get_objects()) <= 2

    gc.collect()
    gc.disable()
    try:
        run(main)
    finally:
        gc.enable()
