"""Whoever sends what only costs is sent away; whoever works hard and honestly is not."""

import asyncio
import contextlib
import struct
from collections.abc import Callable

import pytest
from hpack import Encoder
from tests.http1.world import run
from tests.http2.asking import (
    CALM,
    CONTINUATION,
    DATA,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    asking,
    context,
    frame,
    served_by,
)
from tests.http2.serving import Application, answer_ok, until

from foregate.http2.exchange import Exchange
from foregate.kernel import limits

GET = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")]
ONE = struct.pack(">I", 1)


def _get(stream: int, flags: int = 0x5) -> bytes:
    return frame(HEADERS, flags, stream, Encoder().encode(GET, huffman=False))


def _rapid_reset() -> bytes:
    return b"".join(_get(2 * n + 1) + frame(RST_STREAM, 0, 2 * n + 1, struct.pack(">I", 8)) for n in range(1_000))


def _continuations() -> bytes:
    return frame(HEADERS, 0x1, 1, Encoder().encode(GET)) + frame(CONTINUATION, 0, 1) * 1_000


def _header_bomb() -> bytes:
    """A field of 4 kB that the compression table repeats thousands of times in as many bytes."""
    encoder = Encoder()
    head = encoder.encode([*GET, ("x", "y" * 4_000)], huffman=False)
    return frame(HEADERS, 0x5, 1, head + encoder.encode([("x", "y" * 4_000)]) * 5_000)


FLOODS: dict[str, Callable[[], bytes]] = {
    "rapid reset": _rapid_reset,
    "continuations": _continuations,
    "header bomb": _header_bomb,
    "settings": lambda: frame(SETTINGS, 0, 0) * 3_000,
    "pings": lambda: frame(PING, 0, 0, b"01234567") * 3_000,
    "priorities": lambda: frame(PRIORITY, 0, 1, b"\0\0\0\0\0") * 3_000,
    "empty data": lambda: _get(1, 0x4) + frame(DATA, 0, 1) * 3_000,
    "window updates": lambda: _get(1, 0x4) + frame(WINDOW_UPDATE, 0, 1, ONE) * 3_000,
    "window updates of the connection": lambda: frame(WINDOW_UPDATE, 0, 0, ONE) * 3_000,
}


@pytest.mark.parametrize("name", FLOODS)
@pytest.mark.parametrize("cut", [1_460, 65_536])
def test_a_flood_ends_its_connection_and_is_counted(name: str, cut: int) -> None:
    refused: list[str] = []

    async def main() -> bytes:
        application = Application()
        async with served_by(context(application, refused=refused.append)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            data = PREFACE + frame(SETTINGS, 0, 0) + frame(SETTINGS, 1, 0) + FLOODS[name]()
            answer = b""
            try:
                for start in range(0, len(data), cut):
                    writer.write(data[start : start + cut])
                    await writer.drain()
                answer = await reader.read(-1)
            except ConnectionError:
                pass  # it sends on where nobody listens
            writer.close()
            await until(lambda: all(receiver.aborted for receiver in application.seen))
            assert len(application.seen) <= limits.H2_CANCELS_MAX + 2
        return answer

    answer = run(main)
    assert refused.count("http2_abuse") == 1
    if answer:  # unless the reset of the connection has overtaken it
        assert struct.pack(">I", CALM) in answer[answer.rfind(bytes([GOAWAY, 0, 0, 0, 0, 0])) :]


def test_streams_that_a_client_breaks_so_that_we_reset_them_are_paid_for_like_those_it_resets() -> None:
    """CVE-2025-8671."""
    refused: list[str] = []
    head = Encoder().encode([*GET, ("content-length", "3")])

    async def main() -> None:
        application = Application()
        async with served_by(context(application, refused=refused.append)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(PREFACE + frame(SETTINGS, 0, 0))
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError):
                for stream in range(1, 2_000, 2):
                    writer.write(frame(HEADERS, 0x4, stream, head))
                    await asyncio.wait_for(application.next(stream // 2 + 1), 0.3)
                    writer.write(frame(DATA, 0, stream, b"four"))
                    await reader.readuntil(frame(RST_STREAM, 0, stream, ONE))
            writer.close()
            assert limits.H2_CANCELS_MAX <= len(application.seen) < limits.H2_CANCELS_MAX + 50
            assert all(receiver.aborted for receiver in application.seen)

    run(main)
    assert refused[-1] == "http2_abuse"


def test_a_thousand_cancelled_among_many_answered_are_no_abuse() -> None:
    refused: list[str] = []

    async def main() -> None:
        application = Application()
        async with served_by(context(application, refused=refused.append)) as port, asking(port) as client:
            for number in range(600):
                left, stays = client.begin(), client.begin()
                await application.next(2 * number + 2)
                client.reset(left)
                answer_ok(application.seen[-1].exchange)
                assert (await client.answer(stays)).body == b"ok"
            assert not refused

    run(main)


def test_a_client_that_acknowledges_every_crumb_of_many_streams_is_no_abuser() -> None:
    refused: list[str] = []

    async def main() -> None:
        application = Application()
        async with served_by(context(application, refused=refused.append)) as port, asking(port) as client:
            streams = [client.begin() for _ in range(50)]
            await application.next(50)
            for receiver in application.seen:
                receiver.exchange.send_head(200, b"HTTP/1.1 200 OK\r\n", None)
            for _ in range(60):
                for stream, receiver in zip(streams, application.seen, strict=True):
                    client.h2.increment_flow_control_window(1, stream)
                    client.h2.increment_flow_control_window(1)
                    receiver.exchange.write(b"x")
                    receiver.exchange.flush()
                client.flush()
                await asyncio.sleep(0.001)
            await client.until(lambda: all(len(client.answers[stream].body) == 60 for stream in streams))
            assert not refused

    run(main)


def test_windows_of_single_bytes_do_not_cut_a_large_answer_into_crumbs_for_ever() -> None:
    refused: list[str] = []

    def application(exchange: Exchange) -> None:
        exchange.send_whole(200, (b"HTTP/1.1 200 OK\r\n",), 60_000, [b"x" * 60_000])
        exchange.end()

    async def main() -> int:
        shared = context(application, refused=refused.append)
        async with served_by(shared) as port, asking(port, takes=False, window=0) as client:
            stream = client.begin()
            for number in range(10_000):
                client.h2.increment_flow_control_window(1, stream)
                client.flush()
                if not number % 50:
                    await asyncio.sleep(0)
                if client.closed:
                    break
            await client.until(lambda: client.closed)
            return len(client.answers[stream].body)

    assert run(main) < 10_000
    assert refused == ["http2_abuse"]


@pytest.mark.parametrize("excess", [3, 40])
def test_streams_beyond_the_bound_reach_nobody(excess: int) -> None:
    async def main() -> None:
        application = Application()
        async with served_by(context(application, streams_max=4)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(PREFACE + frame(SETTINGS, 0, 0) + b"".join(_get(2 * n + 1) for n in range(4 + excess)))
            answer = await reader.readuntil(struct.pack(">I", 7))  # REFUSED_STREAM: they may be tried again
            assert bytes([RST_STREAM, 0]) in answer
            assert len(application.seen) == 4
            writer.close()

    run(main)


def test_a_window_that_overflows_ends_the_connection() -> None:
    refused: list[str] = []

    async def main() -> None:
        async with served_by(context(answer_ok, refused=refused.append)) as port, asking(port) as client:
            client.raw(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**31 - 1)))
            await client.until(lambda: client.closed)
            assert client.goaway == 3
            assert refused == ["malformed_request"]

    run(main)


def test_a_client_that_reads_nothing_fills_a_bounded_queue_and_is_left_in_the_end() -> None:
    written = 0

    async def main() -> None:
        application = Application()
        shared = context(application, idle_timeout_s=0.5)
        async with served_by(shared) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1_024)
            wide = struct.pack(">HI", 4, 2**31 - 1)
            data = PREFACE + frame(SETTINGS, 0, 0, wide) + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**30))
            writer.write(data + b"".join(_get(2 * n + 1) for n in range(50)))
            await application.next(50)
            nonlocal written
            for receiver in application.seen:
                receiver.exchange.send_head(200, b"HTTP/1.1 200 OK\r\n", None)
            for _ in range(1_000):
                for receiver in application.seen:
                    if not receiver.exchange.paused:
                        receiver.exchange.write(b"x" * 8_192)
                        written += 8_192
                        receiver.exchange.flush()
                await asyncio.sleep(0)
                if all(receiver.exchange.paused for receiver in application.seen):
                    break
            assert all(receiver.exchange.paused for receiver in application.seen)
            await until(lambda: all(receiver.aborted for receiver in application.seen))
            writer.close()

    run(main)
    kernel_bytes = 8_000_000
    assert written < 50 * limits.H2_STREAM_QUEUE_BYTES + limits.H2_CONNECTION_QUEUE_BYTES + kernel_bytes


@pytest.mark.parametrize("data", [b"\xff" * 100, frame(DATA, 0, 7, b"x"), frame(HEADERS, 0x5, 1, b"\xff\xff\xff\xff")])
def test_nonsense_ends_its_connection(data: bytes) -> None:
    refused: list[str] = []

    async def main() -> None:
        async with served_by(context(answer_ok, refused=refused.append)) as port, asking(port) as client:
            client.raw(data)
            await client.until(lambda: client.closed)
            assert client.goaway not in (None, 0)

    run(main)
    assert refused == ["malformed_request"]
