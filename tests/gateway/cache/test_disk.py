"""Answers that lie on the disk: too large for memory, or stored by another worker."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.gateway.cache.origin import Asked, Got, Later, Said, cached, get
from tests.gateway.world import gateway, route, run, service, target

from foregate.wire.cache import Cache, CacheStorage

DISK = CacheStorage(memory_bytes_max=1 << 20, disk_bytes_max=64 << 20, object_bytes_max=16 << 20)
LARGE = bytes(range(256)) * 8_192  # 2 MB
FRESH = ["cache-control: max-age=60", 'etag: "a"']


async def until_it_is(ask: Callable[[], Awaitable[Got]], cache: str) -> Got:
    """What is written to the disk is there a little later."""
    while (got := await ask()).cache != cache:
        await asyncio.sleep(0.01)
    return got


def test_a_large_answer_is_given_from_the_disk_whole_and_in_part() -> None:
    async def main() -> None:
        async with cached(lambda asked: Said(LARGE, FRESH), storage=DISK) as (world, origin):
            await get(world.port, "/a")
            got = await until_it_is(lambda: get(world.port, "/a"), "HIT")
            asked = origin.count
            assert (got.body == LARGE, got.whole) == (True, True)
            head = await get(world.port, "/a", method="HEAD")
            assert (head.cache, head.headers["content-length"], head.body) == ("HIT", str(len(LARGE)), b"")
            part = await get(world.port, "/a", ["range: bytes=1000000-1700000"])
            assert (part.status, part.body == LARGE[1_000_000:1_700_001]) == (206, True)
            assert (await get(world.port, "/a", ['if-none-match: "a"'])).status == 304
            assert origin.count == asked
            assert world.sink.events[-1].cache == "hit"

    run(main)


def test_who_leaves_in_the_middle_leaves_nothing_open() -> None:
    async def main() -> None:
        async with cached(lambda asked: Said(LARGE, FRESH), storage=DISK) as (world, _):
            await get(world.port, "/a")
            await until_it_is(lambda: get(world.port, "/a"), "HIT")
            world.sink.events.clear()
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=1_000)
            writer.write(b"GET /a HTTP/1.1\r\nhost: shop.example\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            writer.close()
            while not world.sink.events:
                await asyncio.sleep(0.01)
            assert world.event.status in (200, 499)
            assert (await get(world.port, "/a")).body == LARGE

    run(main)


def test_a_large_answer_that_still_holds_is_not_sent_again() -> None:
    clock = Later()

    def script(asked: Asked) -> Said:
        return Said(b"", FRESH, 304) if "if-none-match" in asked.headers else Said(LARGE, FRESH)

    async def main() -> None:
        async with cached(script, storage=DISK, clock=clock) as (world, origin):
            await get(world.port, "/a")
            await until_it_is(lambda: get(world.port, "/a"), "HIT")
            clock.ahead_s = 61.0
            got = await get(world.port, "/a")
            assert (got.body == LARGE, origin.asked[-1].headers["if-none-match"]) == (True, '"a"')
            assert world.sink.events[-1].cache == "revalidated"

    run(main)


def test_what_one_worker_has_stored_the_other_gives_and_what_it_voids_is_void(tmp_path: Path) -> None:
    async def main() -> None:
        def script(asked: Asked) -> Said:
            return Said(b"%d" % asked.number, FRESH)

        async with cached(script, storage=DISK, folder=tmp_path, worker=(0, 2)) as (one, origin):
            services = [service(targets=[target(origin.port)])]
            routes = [route("/", auth=(), cache=Cache())]
            async with gateway(services, routes, cache=DISK, folder=tmp_path, worker=(1, 2)) as two:
                await get(one.port, "/a")
                kept = one.gateway._kept
                assert kept is not None
                while not kept.store.stats().disk_objects:
                    await asyncio.sleep(0.005)
                got = await get(two.port, "/a")
                assert (got.cache, got.body, origin.count) == ("HIT", b"1", 1)
                await get(two.port, "/a", method="POST", body=b"x")
                assert (await get(one.port, "/a")).cache == "MISS"

    run(main)
