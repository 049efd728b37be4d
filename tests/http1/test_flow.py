"""Back-pressure and leaving: nobody buffers what the other side does not take."""

import asyncio
from collections.abc import AsyncIterator

from tests.http1.world import client, run, serving

from foregate.http1 import Request, Response

CHUNK = b"x" * 65_536
# What may be under way at most: socket buffers of both sides, our write buffer and read buffer; generously.
BUFFERS_BYTES_MAX = 24_000_000


def test_a_handler_waits_for_a_client_that_does_not_read() -> None:
    produced = 0

    async def endless(request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            nonlocal produced
            for _ in range(2_000):  # 131 MB
                produced += len(CHUNK)
                yield CHUNK

        return Response(200, parts(), [])

    async def main() -> int:
        async with serving(endless) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=65_536)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.read(1_000)
            await asyncio.sleep(0.5)
            before = produced
            await asyncio.sleep(0.2)
            assert produced == before  # it stands still
            writer.close()
            return produced

    assert run(main) < BUFFERS_BYTES_MAX


def test_a_client_waits_for_a_handler_that_does_not_read() -> None:
    sent = 0
    release = asyncio.Event()

    async def lazy(request: Request) -> Response:
        await release.wait()
        size = 0
        async for chunk in request.chunks():
            size += len(chunk)
        return Response(200, b"%d" % size, [])

    async def parts() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1_000):  # 65 MB
            sent += len(CHUNK)
            yield CHUNK

    async def main() -> bytes:
        async with serving(lazy) as port, client() as asking:
            asked = asyncio.get_running_loop().create_task(
                asking.request("POST", f"http://127.0.0.1:{port}/", body=parts())
            )
            await asyncio.sleep(0.5)
            assert sent < BUFFERS_BYTES_MAX
            release.set()
            return await (await asked).read()

    assert run(main) == b"%d" % (1_000 * len(CHUNK))


def test_a_pipelined_body_waits_for_its_turn_outside() -> None:
    release = asyncio.Event()
    sizes: list[int] = []

    async def answer(request: Request) -> Response:
        if request.method == "GET":
            await release.wait()
        size = 0
        async for chunk in request.chunks():
            size += len(chunk)
        sizes.append(size)
        return Response(200, b"", [])

    async def main() -> None:
        async with serving(answer) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n")
            writer.write(b"Content-Length: %d\r\n\r\n" % (1_000 * len(CHUNK)))
            sent = 0

            async def send() -> None:
                nonlocal sent
                for _ in range(1_000):  # 65 MB
                    writer.write(CHUNK)
                    await writer.drain()
                    sent += len(CHUNK)

            sending = asyncio.get_running_loop().create_task(send())
            await asyncio.sleep(0.5)
            assert sent < BUFFERS_BYTES_MAX
            release.set()
            await sending
            await reader.read()
            assert sizes == [0, 1_000 * len(CHUNK)]
            writer.close()

    run(main)


def test_a_client_that_takes_no_answers_gets_no_more_of_them_made() -> None:
    made = 0

    async def answer(request: Request) -> Response:
        nonlocal made
        made += 1
        return Response(200, CHUNK, [])

    async def main() -> None:
        async with serving(answer) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=65_536)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            for _ in range(50):
                writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 15)
                await asyncio.sleep(0.01)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert made * len(CHUNK) < BUFFERS_BYTES_MAX
            writer.transport.resume_reading()  # type: ignore[attr-defined]
            size = 0
            while data := await reader.read(1_000_000):
                size += len(data)
            assert made == 751
            assert size > made * len(CHUNK)
            writer.close()

    run(main)


def test_a_client_that_leaves_cancels_its_handler() -> None:
    ended = asyncio.Event()

    async def forever(request: Request) -> Response:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return Response()

    async def main() -> None:
        async with serving(forever) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.sleep(0.1)
            writer.close()
            await asyncio.wait_for(ended.wait(), 5)

    run(main)


def test_an_abandoned_answer_is_seen_by_the_server() -> None:
    ended = asyncio.Event()

    async def ticking(request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"tick"
                    await asyncio.sleep(0.01)
            finally:
                ended.set()

        return Response(200, parts(), [])

    async def main() -> None:
        async with serving(ticking) as port, client() as asking:
            answer = await asking.request("GET", f"http://127.0.0.1:{port}/")
            async for _ in answer.chunks():
                answer.abandon()
                break
            await asyncio.wait_for(ended.wait(), 5)

    run(main)


def test_a_client_that_closes_its_sending_half_has_left() -> None:
    ended = asyncio.Event()

    async def forever(request: Request) -> Response:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return Response()

    async def main() -> None:
        async with serving(forever) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            writer.write_eof()
            assert await reader.read() == b""  # as nginx does: it could also have gone for good
            await asyncio.wait_for(ended.wait(), 5)
            writer.close()

    run(main)
