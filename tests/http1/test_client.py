"""The client side against servers that answer byte for byte what the test says."""

import asyncio
import contextlib
import random
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator

import pytest
from tests.http1.world import Seen, client, run, serving

from foregate.kernel.errors import ForegateError


@contextlib.asynccontextmanager
async def scripted(*answers: bytes, then_close: bool = True) -> AsyncIterator[tuple[str, list[int]]]:
    """Sends answers[n] to the n-th request of a connection; yields the URL and a count of requests per connection."""
    served: list[int] = []
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(served)
        served.append(0)
        writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            for answer in answers:
                await reader.readuntil(b"\r\n\r\n")
                served[number] += 1
                writer.write(answer)
                await writer.drain()
            if not then_close:
                await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", served
    finally:
        server.close()
        for writer in writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def fetch(
    *answers: bytes, method: str = "GET", times: int = 1, then_close: bool = True
) -> tuple[list[bytes], list[int]]:
    async def main() -> tuple[list[bytes], list[int]]:
        async with scripted(*answers, then_close=then_close) as (url, served), client() as asking:
            bodies = [await (await asking.request(method, url, timeout_s=0.3)).read() for _ in range(times)]
            return bodies, served

    return run(main)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\nX: trailer\r\n\r\n"


OFFER = b"HTTP/1.1 200 OK\r\nUpgrade: h2\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.parametrize("answer", [OK, CHUNKED, OFFER], ids=["content-length", "chunked, trailers", "offers h2"])
def test_a_connection_is_used_again_after_a_framed_answer(answer: bytes) -> None:
    assert fetch(answer, answer, times=2, then_close=False) == ([b"ok", b"ok"], [2])


def test_an_answer_without_framing_ends_with_its_connection() -> None:
    assert fetch(b"HTTP/1.1 200 OK\r\n\r\nok", times=2) == ([b"ok", b"ok"], [1, 1])


def test_a_connection_that_says_close_is_not_used_again() -> None:
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    assert fetch(answer, then_close=False, times=2) == ([b"ok", b"ok"], [1, 1])


def test_interim_answers_are_passed_by() -> None:
    assert fetch(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK)[0] == [b"ok"]


def test_the_answer_to_head_has_no_body_and_keeps_its_connection() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
    assert fetch(answer, answer, method="HEAD", times=2, then_close=False) == ([b"", b""], [2])


def test_a_304_with_a_length_has_no_body() -> None:
    answer = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n"
    assert fetch(answer, OK, times=2, then_close=False) == ([b"", b"ok"], [2])


def test_a_second_answer_nobody_asked_for_is_dropped_with_its_connection() -> None:
    bodies, served = fetch(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", times=2, then_close=False)
    assert bodies == [b"ok", b"ok"]
    assert served == [1, 1]


def test_a_keep_alive_connection_that_died_is_replaced_once() -> None:
    assert fetch(OK, times=3) == ([b"ok"] * 3, [1, 1, 1])


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", "upstream_closed"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "upstream_closed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "upstream_truncated"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal", "upstream_truncated"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", "upstream_truncated"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "upstream_malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", "upstream_malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", "upstream_malformed"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx", "upstream_malformed"),
        (b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 2\r\n\r\nok", "upstream_malformed"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "upstream_malformed"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", "upstream_malformed"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200 + b"\r\n", "upstream_malformed"),
    ],
)
def test_a_broken_answer_has_its_code(answer: bytes, code: str) -> None:
    with pytest.raises(ForegateError) as raised:
        fetch(answer)
    assert raised.value.spec.code == code


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"])
def test_silence_is_a_timeout(answer: bytes) -> None:
    with pytest.raises(ForegateError) as raised:
        fetch(answer, then_close=False)
    assert raised.value.spec.code == "upstream_timeout"


def test_nobody_there_is_refused() -> None:
    async def main() -> None:
        async with serving(Seen()) as port:
            pass
        async with client() as asking:
            await asking.request("GET", f"http://127.0.0.1:{port}/")

    with pytest.raises(ForegateError) as raised:
        run(main)
    assert raised.value.spec.code == "upstream_refused"


def test_a_client_closes_though_connections_were_reset_as_soon_as_they_were_open() -> None:
    chance = random.Random(20_261_122)

    def reset(listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = listening.accept()
                time.sleep(chance.random() * 0.0006)  # now before, now after the client hears that it is connected
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.close()

    async def main(port: int) -> None:
        async with client() as asking:
            for _ in range(1_000):
                with pytest.raises(ForegateError, match="upstream"):
                    await asking.request("POST", f"http://127.0.0.1:{port}/", body=b"x")
            await asyncio.wait_for(asking.close(), 10.0)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=reset, args=(listening,), daemon=True)
        thread.start()
        run(lambda: main(listening.getsockname()[1]))
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10.0)
