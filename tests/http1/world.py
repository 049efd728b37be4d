"""A real server on loopback and raw sockets to talk to it."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import uvloop

from foregate.http1 import Client, Request, Response, Server, ServerConnection
from foregate.http1.deadlines import Deadlines
from foregate.http1.exchange import Exchange
from foregate.http1.handler import Handler
from foregate.http1.server import ServerContext
from foregate.kernel.clock import SystemClock

T = TypeVar("T")


def run(main: Callable[[], Awaitable[T]], timeout_s: float = 30.0) -> T:
    async def bounded() -> T:
        return await asyncio.wait_for(main(), timeout_s)

    return uvloop.run(bounded())


class Seen:
    """A handler that remembers what reached it and echoes the body."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, bytes]] = []

    async def __call__(self, request: Request) -> Response:
        body = await request.body(10_000_000)
        self.requests.append((request.method, request.path, body))
        return Response(200, body or request.path.encode(), [(b"content-type", b"text/plain")])


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    server = Server(handler, SystemClock())
    port = await server.start()
    try:
        yield port
    finally:
        await server.close()


@contextlib.asynccontextmanager
async def client() -> AsyncIterator[Client]:
    asking = Client(SystemClock())
    try:
        yield asking
    finally:
        await asking.close()


def context(application, **limits: float) -> ServerContext:  # type: ignore[no-untyped-def]
    clock = SystemClock()
    return ServerContext(application, clock, Deadlines(clock, tick_s=0.02), **limits)  # type: ignore[arg-type]


async def listen(shared: ServerContext) -> tuple[asyncio.Server, int]:
    server = await asyncio.get_running_loop().create_server(lambda: ServerConnection(shared), "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


@contextlib.asynccontextmanager
async def served_by(shared: ServerContext) -> AsyncIterator[int]:
    server, port = await listen(shared)
    try:
        yield port
    finally:
        server.close()
        await shared.close(0)
        shared.deadlines.stop()


def answer_ok(exchange: Exchange) -> None:
    exchange.send_head(200, b"HTTP/1.1 200 OK\r\n", 2)
    exchange.write(b"ok")
    exchange.end()


async def talk(port: int, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """Send `pieces`, then read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def statuses(answer: bytes) -> list[int]:
    """The status codes of a sequence of answers (whose bodies hold no status line)."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]
