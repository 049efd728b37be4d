"""A real gateway between raw sockets and real upstreams, all on loopback; real stores, a sink in memory."""

import asyncio
import contextlib
import random
import re
import socket
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from foregate.adapters.embedded.blocks import open_blocks
from foregate.adapters.embedded.cache import open_cache
from foregate.adapters.embedded.limits import open_limits
from foregate.gateway import Gateway
from foregate.gateway.policies.policy import Policy
from foregate.http1 import Client, Request, Response, Server
from foregate.kernel.clock import Clock, SystemClock
from foregate.kernel.secrets import hash_key
from foregate.ports.blocks import Blocks
from foregate.wire.cache import CacheStorage
from foregate.wire.event import RequestEvent
from foregate.wire.match import Rule
from foregate.wire.policies import CircuitBreaker, Policies, Retry, Timeouts
from foregate.wire.snapshot import (
    AuthMethod,
    Balance,
    Key,
    Rewrite,
    Route,
    Service,
    Snapshot,
    Target,
    Weighted,
)

T = TypeVar("T")
PEPPER = b"pepper of the tests, 32 bytes ok"
KEY = "fg_test_0123456789"
FAST_RETRY = Retry(attempts=3, base_s=0.02, max_s=0.08)
NO_RETRY = Retry(attempts=0)
BREAKER = CircuitBreaker()
_HELD: deque[socket.socket] = deque(maxlen=64)  # bound, but not listening; the oldest are closed


def run(main: Callable[[], Awaitable[T]], timeout_s: float = 30.0) -> T:
    async def bounded() -> T:
        return await asyncio.wait_for(main(), timeout_s)

    return uvloop.run(bounded())


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
    *ports: int,
    name: str = "svc",
    retry: Retry = NO_RETRY,
    breaker: CircuitBreaker = BREAKER,
    timeout_s: float = 30.0,
    connect_timeout_s: float = 3.0,
    balance: Balance = Balance(),  # noqa: B008 - frozen
    targets: Sequence[Target] = (),
    **policies: object,
) -> Service:
    """A service on these ports of loopback, with these policies."""
    own = Policies(retry=retry, circuit_breaker=breaker, timeouts=Timeouts(timeout_s), **policies)  # type: ignore[arg-type]
    places = tuple(targets) or tuple(target(port) for port in ports)
    return Service(name, places, connect_timeout_s, balance, policies=own)


def route(
    path: str = "/",
    to: str | Sequence[Weighted] = "svc",
    *,
    auth: Sequence[AuthMethod] = ("api_key",),
    strip: bool = False,
    rule: Rule | None = None,
    name: str = "",
    rewrite: Rewrite | None = None,
    host: str | None = None,
    **policies: object,
) -> Route:
    """A route of this path prefix (or of `rule`), named after its path."""
    services = (Weighted(to),) if isinstance(to, str) else tuple(to)
    own = Policies(**policies)  # type: ignore[arg-type]
    return Route(name or path, rule or Rule(path), services, True, strip, rewrite, host, auth=tuple(auth), policies=own)


def refusing_port() -> int:
    """Where nobody listens, and nobody else will: a port that is merely free may be given to the gateway itself."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    _HELD.append(sock)
    return int(sock.getsockname()[1])


def snapshot(services: Sequence[Service], routes: Sequence[Route], **more: object) -> Snapshot:
    keys = (Key("key_demo", "demo", hash_key(KEY, PEPPER)),)
    return Snapshot("0123456789ab", (), tuple(services), tuple(routes), **{"keys": keys, **more})  # type: ignore[arg-type]


OPEN = route("/", auth=())


@dataclass
class World:
    gateway: Gateway
    port: int
    sink: MemorySink
    blocks: Blocks
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
    services: Sequence[Service],
    routes: Sequence[Route] = (OPEN,),
    *,
    clock: Clock | None = None,
    extensions: Mapping[str, Callable[[dict[str, Any]], Policy]] | None = None,
    folder: Path | None = None,
    worker: tuple[int, int] = (0, 1),
    cache: CacheStorage | None = None,
    **more: object,
) -> AsyncIterator[World]:
    """A worker on real sockets and the real embedded stores (kept in `folder`). `worker`: which of how many.

    `cache`: keep answers there. `more`: further fields of the snapshot.
    """
    number, workers = worker
    sink, asking = MemorySink(), Client(SystemClock())
    log: list[tuple[str, dict[str, object]]] = []
    with tempfile.TemporaryDirectory() as own:
        blocks = open_blocks((folder or Path(own)) / "counters.bin", workers, number)
        limits = open_limits((folder or Path(own)) / "limits.bin", workers, number)
        note = lambda what, facts: log.append((what, facts))  # noqa: E731
        at = clock or SystemClock()
        kept = open_cache((folder or Path(own)) / "cache", number, cache, at, note) if cache is not None else None
        serving = Gateway(
            snapshot(services, routes, **more),
            clock=at,
            sink=sink,
            blocks=blocks,
            limits=limits,
            pepper=PEPPER,
            rng=random.Random(7),
            log=note,
            extensions=extensions,
            cache=kept,
            instance="host-of-the-test",
        )
        sock = socket.create_server(("127.0.0.1", 0))
        await serving.serve(sock)
        try:
            yield World(serving, int(sock.getsockname()[1]), sink, blocks, asking, log)
        finally:
            await asking.close()
            await serving.drain(0.2)
            limits.close()
            if kept is not None:
                kept.close()


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
