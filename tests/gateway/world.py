"""A real gateway between raw sockets and real upstreams, all on loopback; counters and sink in memory."""

import asyncio
import contextlib
import random
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import uvloop

from foregate.gateway import Gateway, counter_slots
from foregate.http1 import Client, Request, Response, Server
from foregate.kernel.clock import Clock, SystemClock
from foregate.kernel.secrets import hash_key
from foregate.wire.event import RequestEvent
from foregate.wire.snapshot import Breaker, Key, Retry, Route, Service, Snapshot, Target

T = TypeVar("T")
PEPPER = b"pepper of the tests, 32 bytes ok"
KEY = "fg_test_0123456789"
FAST_RETRY = Retry(attempts=3, base_s=0.02, max_s=0.08)
NO_RETRY = Retry(attempts=0)
BREAKER = Breaker()


def run(main: Callable[[], Awaitable[T]], timeout_s: float = 30.0) -> T:
    async def bounded() -> T:
        return await asyncio.wait_for(main(), timeout_s)

    return uvloop.run(bounded())


class MemoryCounters:
    """One worker's counters. Those of several workers share `rows`."""

    def __init__(self, slots: int, rows: list[list[float]] | None = None, row: int = 0) -> None:
        self.slots = slots
        self._rows = rows if rows is not None else [[0.0] * slots]
        self._own = self.row = self._rows[row]

    def add(self, slot: int, amount: float) -> None:
        self._own[slot] += amount

    def put(self, slot: int, value: float) -> None:
        self._own[slot] = value

    def total(self, slot: int) -> float:
        return sum(row[slot] for row in self._rows)

    def others(self, slot: int) -> float:
        return self.total(slot) - self._own[slot]


class MemorySink:
    def __init__(self) -> None:
        self.events: list[RequestEvent] = []
        self.full = False

    def put(self, event: RequestEvent) -> bool:
        if not self.full:
            self.events.append(event)
        return not self.full


class Upstream:
    """Remembers what reached it; answers by `answer` (default: 200 with the request's target)."""

    def __init__(self, answer: Callable[[Request], Awaitable[Response]] | None = None) -> None:
        self.requests: list[Request] = []
        self.bodies: list[bytes] = []
        self._answer = answer

    async def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        if self._answer is not None:
            return await self._answer(request)
        self.bodies.append(await request.body(10_000_000))
        query = f"?{request.query}" if request.query else ""
        return Response(200, f"{request.path}{query}".encode(), [(b"content-type", b"text/plain")])


@contextlib.asynccontextmanager
async def upstream(
    answer: Callable[[Request], Awaitable[Response]] | None = None,
) -> AsyncIterator[tuple[Upstream, int]]:
    handler = Upstream(answer)
    server = Server(handler, SystemClock())
    port = await server.start()
    try:
        yield handler, port
    finally:
        await server.close()


def target(port: int, prefix: str = "") -> Target:
    return Target(f"http://127.0.0.1:{port}{prefix}", "127.0.0.1", port, prefix)


def service(
    *ports: int, name: str = "svc", retry: Retry = NO_RETRY, breaker: Breaker = BREAKER, **more: object
) -> Service:
    return Service(name, tuple(target(port) for port in ports), retry=retry, breaker=breaker, **more)  # type: ignore[arg-type]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def snapshot(services: Sequence[Service], routes: Sequence[Route]) -> Snapshot:
    keys = (Key("key_demo", "demo", hash_key(KEY, PEPPER)),)
    return Snapshot("v1", "127.0.0.1", 0, tuple(services), tuple(routes), keys)


OPEN = Route("/", "svc", needs_key=False)


@dataclass
class World:
    gateway: Gateway
    port: int
    sink: MemorySink
    counters: MemoryCounters
    client: Client
    log: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def event(self) -> RequestEvent:
        assert len(self.sink.events) == 1, self.sink.events
        return self.sink.events[0]


@contextlib.asynccontextmanager
async def gateway(
    services: Sequence[Service], routes: Sequence[Route] = (OPEN,), *, clock: Clock | None = None
) -> AsyncIterator[World]:
    config = snapshot(services, routes)
    sink, counters = MemorySink(), MemoryCounters(counter_slots(config))
    log: list[tuple[str, dict[str, object]]] = []
    serving = Gateway(
        config,
        clock=clock or SystemClock(),
        sink=sink,
        counters=counters,
        pepper=PEPPER,
        rng=random.Random(7),
        log=lambda what, facts: log.append((what, facts)),
    )
    sock = socket.create_server(("127.0.0.1", 0))
    await serving.serve(sock)
    asking = Client(SystemClock())
    try:
        yield World(serving, int(sock.getsockname()[1]), sink, counters, asking, log)
    finally:
        await asking.close()
        await serving.drain(0.2)


@contextlib.asynccontextmanager
async def raw_upstream(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter, int], Awaitable[None]],
) -> AsyncIterator[int]:
    """Calls `serve(reader, writer, n)` for the n-th connection (from 0) and closes it afterwards."""
    writers: list[asyncio.StreamWriter] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(writers)
        writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await serve(reader, writer, number)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for writer in writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def talk(port: int, data: bytes) -> bytes:
    """Send `data`, then read until the gateway closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]
