"""Streams pass token by token, under back-pressure, and end when their client does."""

import asyncio
from collections.abc import AsyncIterator

from tests.gateway.world import gateway, raw_upstream, run, service, upstream

from foregate.http1 import Request, Response

CHUNK = b"x" * 65_536
BUFFERS_BYTES_MAX = 24_000_000  # both sides' socket buffers, our write buffer and read buffer; generously


def test_each_token_passes_before_the_next_is_made() -> None:
    passed = asyncio.Event()

    async def answer(request: Request) -> Response:
        async def tokens() -> AsyncIterator[bytes]:
            for number in range(20):
                passed.clear()
                yield b"data: %d\n\n" % number
                await passed.wait()  # only the client sets it: a gateway that gathers would hang here

        return Response(200, tokens(), [(b"content-type", b"text/event-stream")])

    async def main() -> None:
        async with upstream(answer) as (_, port), gateway([service(port)]) as world:
            response = await world.client.request("GET", world.url())
            received = []
            async for token in response.chunks():
                received.append(token)
                passed.set()
            assert b"".join(received) == b"".join(b"data: %d\n\n" % number for number in range(20))
            assert world.event.response_bytes == sum(map(len, received))

    run(main)


def test_an_upload_streams_through() -> None:
    async def answer(request: Request) -> Response:
        size = 0
        async for chunk in request.chunks():
            size += len(chunk)
        return Response(200, b"%d" % size, [])

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield CHUNK

    async def main() -> None:
        async with upstream(answer) as (_, port), gateway([service(port)]) as world:
            response = await world.client.request("POST", world.url(), body=parts())
            assert await response.read() == b"%d" % (200 * len(CHUNK))
            assert world.event.request_bytes == 200 * len(CHUNK)

    run(main)


def test_a_client_that_does_not_read_stops_the_upstream() -> None:
    produced = 0

    async def answer(request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            nonlocal produced
            for _ in range(2_000):
                produced += len(CHUNK)
                yield CHUNK

        return Response(200, parts(), [])

    async def main() -> None:
        async with upstream(answer) as (_, port), gateway([service(port, timeout_s=0.3)]) as world:
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=65_536)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            await reader.read(1_000)
            await asyncio.sleep(0.6)  # longer than timeout_s: a pause of ours is not the upstream's silence
            assert produced < BUFFERS_BYTES_MAX
            size = 0
            while data := await reader.read(1_000_000):
                size += len(data)
            assert size > 2_000 * len(CHUNK)
            writer.close()
            assert world.event.error == ""

    run(main)


def test_an_upstream_is_stopped_also_when_earlier_answers_fill_the_client() -> None:
    produced = 0

    async def answer(request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            nonlocal produced
            for _ in range(2_000):
                produced += len(CHUNK)
                yield CHUNK

        if request.path == "/small":
            return Response(200, CHUNK[:32_768], [])
        await asyncio.sleep(0.3)  # by then the client is known to be congested
        return Response(200, parts(), [])

    async def main() -> None:
        async with upstream(answer) as (_, port), gateway([service(port)]) as world:
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=65_536)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            for _ in range(400):
                writer.write(b"GET /small HTTP/1.1\r\nHost: a\r\n\r\n")
                await asyncio.sleep(0.002)
            writer.write(b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            await asyncio.sleep(1.0)
            assert produced < BUFFERS_BYTES_MAX
            writer.transport.resume_reading()  # type: ignore[attr-defined]
            size = 0
            while data := await reader.read(1_000_000):
                size += len(data)
            assert size > 2_200 * len(CHUNK)
            writer.close()

    run(main)


def test_an_upstream_that_does_not_read_stops_the_client() -> None:
    sent = 0

    async def lazy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await asyncio.sleep(60)

    async def parts() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(2_000):
            sent += len(CHUNK)
            yield CHUNK

    async def main() -> None:
        async with raw_upstream(lazy) as port, gateway([service(port)]) as world:
            asked = asyncio.get_running_loop().create_task(world.client.request("POST", world.url(), body=parts()))
            await asyncio.sleep(0.6)
            assert sent < BUFFERS_BYTES_MAX
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)

    run(main)


def test_a_client_that_leaves_releases_the_upstream_at_once() -> None:
    left = asyncio.Event()

    async def answer(request: Request) -> Response:
        async def ticks() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"tick"
                    await asyncio.sleep(0.01)
            finally:
                left.set()

        return Response(200, ticks(), [])

    async def main() -> None:
        async with upstream(answer) as (_, port), gateway([service(port)]) as world:
            response = await world.client.request("GET", world.url())
            async for _ in response.chunks():
                response.abandon()
                break
            await asyncio.wait_for(left.wait(), 5)
            assert (world.event.status, world.event.error) == (499, "client_closed")
            assert world.event.response_bytes > 0

    run(main)


def test_fifty_streams_at_once_all_pass_token_by_token() -> None:
    async def answer(request: Request) -> Response:
        async def tokens() -> AsyncIterator[bytes]:
            for number in range(10):
                yield b"data: %d\n\n" % number
                await asyncio.sleep(0.02)

        return Response(200, tokens(), [(b"content-type", b"text/event-stream")])

    async def main() -> None:
        async with upstream(answer) as (_, port), gateway([service(port)]) as world:

            async def one() -> int:
                response = await world.client.request("GET", world.url())
                return len([token async for token in response.chunks()])

            pieces = await asyncio.gather(*[one() for _ in range(50)])
            assert min(pieces) >= 5  # in many pieces, not in one
            assert sorted({event.inflight for event in world.sink.events}) == list(range(1, 51))

    run(main)
