"""Once an answer turns out too large to store, its readers have it at their own pace, within the bound on memory."""

import asyncio

import pytest
from tests.gateway.cache.origin import Asked, cached, get
from tests.gateway.upstream.making import until
from tests.gateway.world import run

from foregate.gateway import layout
from foregate.wire.cache import CacheStorage


@pytest.mark.parametrize("room", [True, False])
def test_who_reads_slowly_what_cannot_be_stored_keeps_nobody_waiting(room: bool) -> None:
    gate = asyncio.Event()

    async def script(asked: Asked) -> bytes:
        asked.writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncache-control: max-age=60\r\n\r\n")
        for _ in range(400):
            asked.writer.write(b"%x\r\n%s\r\n" % (50_000, b"x" * 50_000))
            await asked.writer.drain()
            await gate.wait()
        return b"0\r\n\r\n"

    async def main() -> None:
        storage = CacheStorage(memory_bytes_max=1 << 20, object_bytes_max=500_000)
        async with cached(script, storage=storage) as (world, origin):
            bodies = world.gateway._admission.bodies
            if not room:
                bodies._bytes_max = 2_000_000
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=1_000)
            writer.write(b"GET /a HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n")
            await reader.readline()  # and nothing else for now
            fast = asyncio.create_task(get(world.port, "/a"))
            (block,) = world.blocks.claim([layout.route_block("/")])
            await until(lambda: block.total(layout.CACHE_COLLAPSED) == 1)
            gate.set()
            got = await asyncio.wait_for(fast, 10)
            assert (len(got.body), got.whole, origin.count) == (20_000_000, True, 1)
            rest = bytearray()
            while more := await reader.read(1 << 20):
                rest += more
            writer.close()
            assert rest.endswith(b"\r\n0\r\n\r\n") is room
            await until(lambda: len(world.sink.events) == 2)
            assert sorted(event.error for event in world.sink.events) == ["", "" if room else "overloaded"]
            await until(lambda: bodies.held == 0)

    run(main)
