"""A connection becomes a tunnel when its upgrade is accepted, and only then are the bytes after the head a tunnel's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
from tests.http1.world import context, run, served_by

from foregate.http1 import Exchange
from foregate.http1.tunnel import opens_websocket

PLAIN = b"GET /plain HTTP/1.1\r\nhost: x\r\n\r\n"
OPENING = (
    b"GET /open HTTP/1.1\r\nhost: x\r\nconnection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n"
)


class Shouting:
    """A tunnel's owner that answers in capitals."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.heard: list[bytes] = []
        self.ends: list[str] = []
        self.pauses: list[bool] = []

    def tunnel_data(self, data: bytes) -> None:
        self.heard.append(data)
        self.exchange.write(data.upper())
        self.exchange.flush()

    def tunnel_eof(self) -> None:
        self.ends.append("eof")

    def tunnel_paused(self, paused: bool) -> None:
        self.pauses.append(paused)

    def request_aborted(self, code: str) -> None:
        self.ends.append(code)


class App:
    """Answers plain requests at once with their path; keeps openings until the test decides."""

    def __init__(self) -> None:
        self.waiting: list[Exchange] = []
        self.paths: list[bytes] = []

    def __call__(self, exchange: Exchange) -> None:
        self.paths.append(exchange.target)
        if exchange.upgrade:
            self.waiting.append(exchange)
        else:
            self.answer(exchange)

    def answer(self, exchange: Exchange) -> None:
        exchange.send_head(200, b"HTTP/1.1 200 OK\r\n", len(exchange.target))
        exchange.write(exchange.target)
        exchange.end()
        exchange.flush()

    def accept(self) -> Shouting:
        exchange = self.waiting.pop()
        owner = Shouting(exchange)
        exchange.begin_tunnel(b"x-said: yes\r\n", owner)
        return owner


@contextlib.asynccontextmanager
async def talking(app: App) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with served_by(context(app)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(5.0):
        while not true():
            await asyncio.sleep(0.005)


async def head(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


def test_what_comes_with_the_opening_waits_and_is_the_tunnels_once_it_is_accepted() -> None:
    app = App()

    async def main() -> None:
        async with talking(app) as (reader, writer):
            writer.write(PLAIN + OPENING + PLAIN)
            await until(lambda: app.waiting)
            assert (await head(reader)).startswith(b"HTTP/1.1 200")
            assert await reader.readexactly(6) == b"/plain"
            writer.write(b"and more")
            await asyncio.sleep(0.05)
            owner = app.accept()
            said = await head(reader)
            assert said.startswith(b"HTTP/1.1 101 Switching Protocols\r\nx-said: yes\r\n")
            assert b"\r\nconnection: upgrade\r\nupgrade: websocket\r\n" in said
            assert await reader.readexactly(len(PLAIN) + 8) == (PLAIN + b"and more").upper()
            assert owner.exchange.request_bytes == owner.exchange.response_bytes == len(PLAIN) + 8
            assert app.paths == [b"/plain", b"/open"]

    run(main)


@pytest.mark.parametrize("late", [False, True])
def test_it_is_the_next_request_when_the_opening_is_answered_otherwise(late: bool) -> None:
    """Also when it comes later, and is byte for byte a request that the connection remembers."""
    app = App()

    async def main() -> None:
        async with talking(app) as (reader, writer):
            for _ in range(2):
                writer.write(PLAIN)
                assert (await head(reader)).startswith(b"HTTP/1.1 200")
                assert await reader.readexactly(6) == b"/plain"
            writer.write(OPENING if late else OPENING + PLAIN)
            await until(lambda: app.waiting)
            if late:
                writer.write(PLAIN)
                await asyncio.sleep(0.05)
            assert app.paths == [b"/plain", b"/plain", b"/open"]
            app.answer(app.waiting.pop())
            for path in (b"/open", b"/plain"):
                assert (await head(reader)).startswith(b"HTTP/1.1 200")
                assert await reader.readexactly(len(path)) == path
            writer.write(PLAIN)
            assert (await head(reader)).startswith(b"HTTP/1.1 200")

    run(main)


def test_bytes_that_look_like_a_remembered_request_are_the_tunnels_too() -> None:
    app = App()

    async def main() -> None:
        async with talking(app) as (reader, writer):
            for _ in range(2):
                writer.write(PLAIN)
                await head(reader)
                await reader.readexactly(6)
            writer.write(OPENING)
            await until(lambda: app.waiting)
            writer.write(PLAIN)
            await asyncio.sleep(0.05)
            app.accept()
            await head(reader)
            assert await reader.readexactly(len(PLAIN)) == PLAIN.upper()

    run(main)


def test_a_client_that_does_not_wait_is_held_back() -> None:
    app = App()

    async def main() -> None:
        async with talking(app) as (_, writer):
            writer.write(OPENING)
            await until(lambda: app.waiting)
            sent = 0
            with contextlib.suppress(TimeoutError):
                while sent < 100_000_000:
                    writer.write(bytes(1_000_000))
                    sent += 1_000_000
                    await asyncio.wait_for(writer.drain(), 0.3)
            assert sent < 24_000_000
            owner = app.accept()
            assert sum(map(len, owner.heard)) < 2_000_000  # of what was sent, so much was kept
            owner.exchange.abort()

    run(main)


def test_the_client_that_leaves_is_told_once_and_the_connection_is_counted_out() -> None:
    app = App()

    async def main() -> None:
        shared = context(app)
        async with served_by(shared) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(OPENING)
            await until(lambda: app.waiting)
            owner = app.accept()
            await head(reader)
            assert len(shared.connections) == 1
            writer.close()
            await until(lambda: not shared.connections)
            assert owner.ends == ["eof", "client_closed"]

    run(main)


def test_its_end_reaches_a_client_that_is_still_sending() -> None:
    """A connection that is closed with unread data would be reset, and the last words with it."""
    app = App()

    async def main() -> None:
        async with talking(app) as (reader, writer):
            writer.write(OPENING)
            await until(lambda: app.waiting)
            owner = app.accept()
            await head(reader)
            writer.write(bytes(1_000_000))
            owner.exchange.write(b"last words")
            owner.exchange.end()
            assert (await reader.read()).endswith(b"last words")

    run(main)


def test_draining_breaks_tunnels_off_when_its_time_is_over() -> None:
    app = App()

    async def main() -> None:
        shared = context(app)
        async with served_by(shared) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(OPENING)
            await until(lambda: app.waiting)
            owner = app.accept()
            await head(reader)
            closing = asyncio.ensure_future(shared.close(0.3))
            await asyncio.sleep(0.1)
            writer.write(b"still")
            assert await reader.readexactly(5) == b"STILL"
            await closing
            assert owner.ends == ["client_closed"]
            writer.close()

    run(main)


def test_only_valid_openings_are_wishes() -> None:
    class Seen:
        method, version, has_body = b"GET", "1.1", False
        headers = [(b"upgrade", b"h2c, websocket"), (b"sec-websocket-version", b"13")]  # noqa: RUF012

    seen = Seen()
    assert not opens_websocket(seen)  # type: ignore[arg-type]
    seen.headers = [*seen.headers, (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ==")]
    assert opens_websocket(seen)  # type: ignore[arg-type]
    seen.has_body = True
    assert not opens_websocket(seen)  # type: ignore[arg-type]
