"""Answers that contradict themselves, break off or never end: the client is told the truth, and nothing is stored."""

import asyncio

import pytest
from tests.gateway.cache.origin import Asked, Said, cached, get
from tests.gateway.world import run

FRESH = b"cache-control: max-age=60\r\n"


@pytest.mark.parametrize(
    ("raw", "status", "whole"),
    [
        (b"HTTP/1.1 200 OK\r\n%scontent-length: 10\r\n\r\nhell", 200, False),  # ends too soon
        (b"HTTP/1.1 200 OK\r\n%scontent-length: 2\r\n\r\nhello", 200, True),  # goes on for too long
        (b"HTTP/1.1 200 OK\r\n%scontent-length: 2\r\ncontent-length: 5\r\n\r\nhello", 502, True),
        (
            b"HTTP/1.1 200 OK\r\n%stransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            0,
            True,
        ),
        (b"HTTP/1.1 200 OK\r\n%stransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", 200, False),
        (b"HTTP/1.1 200 OK\r\n%stransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n", 502, True),
        (b"HTTP/1.1 200 OK\r\n%stransfer-encoding: gzip, nonsense\r\n\r\nhello", 502, True),
        (b"nonsense %s\r\n\r\n", 502, True),
    ],
)
def test_nothing_is_stored_of_an_answer_that_contradicts_itself(raw: bytes, status: int, whole: bool) -> None:
    async def script(asked: Asked) -> None:
        asked.writer.write(raw % FRESH)
        await asked.writer.drain()
        await asyncio.sleep(0.05)

    async def main() -> None:
        async with cached(script) as (world, origin):
            for number in (1, 2):
                got = await get(world.port, "/a")
                assert got.cache != "HIT"
                assert not status or got.status == status
                assert got.whole is whole
                assert origin.count >= number
            assert [event.cache for event in world.sink.events].count("hit") == 0
            if not whole:
                assert [event.error for event in world.sink.events] == ["upstream_truncated"] * 2

    run(main)


def test_an_answer_with_trailers_is_not_stored_without_them() -> None:
    async def script(asked: Asked) -> bytes:
        return b"HTTP/1.1 200 OK\r\n%stransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n" % FRESH

    async def main() -> None:
        async with cached(script) as (world, origin):
            assert [(await get(world.port, "/a")).body for _ in range(2)] == [b"ok", b"ok"]
            assert origin.count == 2

    run(main)


def test_an_answer_that_ends_with_its_connection_is_whole() -> None:
    async def script(asked: Asked) -> None:
        asked.writer.write(b"HTTP/1.1 200 OK\r\n%s\r\nhello" % FRESH)

    async def main() -> None:
        async with cached(script) as (world, origin):
            assert [(await get(world.port, "/a")).body for _ in range(2)] == [b"hello", b"hello"]
            assert origin.count == 1

    run(main)


def test_a_service_that_dies_in_the_middle_breaks_all_who_read_and_leaves_nothing() -> None:
    go = asyncio.Event()

    async def script(asked: Asked) -> Said | None:
        if asked.number > 1:
            return Said(b"whole", ["cache-control: max-age=60"])
        asked.writer.write(b"HTTP/1.1 200 OK\r\n%scontent-length: 100\r\n\r\nhalf" % FRESH)
        await go.wait()
        asked.writer.transport.abort()
        return None

    async def main() -> None:
        async with cached(script) as (world, origin):
            asking = [asyncio.create_task(get(world.port, "/a")) for _ in range(4)]
            while origin.count < 1:
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.1)
            go.set()
            got = await asyncio.gather(*asking)
            assert {(each.status, each.whole) for each in got} == {(200, False)}
            assert {event.error for event in world.sink.events} == {"upstream_truncated"}
            assert (await get(world.port, "/a")).body == b"whole"

    run(main)
