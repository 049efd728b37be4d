"""A service that answers as the test says, and a client that sees every header."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tests.gateway.world import World, gateway, route, service, target

from foregate.kernel.clock import SystemClock
from foregate.wire.cache import Cache, CacheStorage

STORAGE = CacheStorage(memory_bytes_max=8 << 20, object_bytes_max=1 << 20)
Script = Callable[["Asked"], "Awaitable[Said | bytes | None] | Said | bytes | None"]


class Later(SystemClock):
    """The machine's clock, whose wall clock a test may set forward or back."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> float:  # type: ignore[override]
        return SystemClock.now() + self.ahead_s


@dataclass
class Asked:
    """What came: `number` counts from 1."""

    number: int
    method: str
    target: str
    headers: dict[str, str]
    writer: asyncio.StreamWriter


@dataclass
class Said:
    """An answer; with `length` None it goes chunked."""

    body: bytes = b"hello"
    headers: Sequence[str] = ()
    status: int = 200

    def encoded(self, silent: bool = False) -> bytes:
        lines = [f"HTTP/1.1 {self.status} X", *self.headers]
        if self.status not in (204, 304):
            lines.append(f"content-length: {len(self.body)}")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return head if silent or self.status in (204, 304) else head + self.body


@dataclass
class Origin:
    """Bytes that a script returns go out as they are; None closes the connection."""

    script: Script
    asked: list[Asked] = field(default_factory=list)
    port: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def count(self) -> int:
        return len(self.asked)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert isinstance(task, asyncio.Task)
        self.tasks.add(task)
        try:
            await self._serve(reader, writer)
        finally:
            self.tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def close(self) -> None:
        """End what is still being answered."""
        for task in self.tasks:
            task.cancel()
        while self.tasks:
            await asyncio.sleep(0.001)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                line, *fields = head[:-4].split("\r\n")
                method, path, _ = line.split(" ")
                headers: dict[str, str] = {}
                for each in fields:
                    name, _, value = each.partition(":")
                    headers[name.lower()] = value.strip()
                await reader.readexactly(int(headers.get("content-length", "0")))
                asked = Asked(self.count + 1, method, path, headers, writer)
                self.asked.append(asked)
                said = self.script(asked)
                said = await said if isinstance(said, Awaitable) else said
                if said is None:
                    break
                writer.write(said if isinstance(said, bytes) else said.encoded(method == "HEAD"))
                await writer.drain()


@dataclass
class Got:
    status: int
    headers: dict[str, str]
    body: bytes
    whole: bool = True

    @property
    def cache(self) -> str:
        return self.headers.get("x-cache", "")

    @property
    def said(self) -> str:
        return self.headers.get("cache-status", "")


async def get(port: int, path: str = "/", headers: Sequence[str] = (), method: str = "GET", body: bytes = b"") -> Got:
    """Ask once, on a connection of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        length = [f"content-length: {len(body)}"] if body or method in ("POST", "PUT") else []
        lines = [f"{method} {path} HTTP/1.1", "host: shop.example", "connection: close", *length, *headers, "", ""]
        writer.write("\r\n".join(lines).encode("latin-1") + body)
        return parsed(await reader.read(), method)
    finally:
        writer.close()


def parsed(data: bytes, method: str = "GET") -> Got:
    head, _, rest = data.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for each in fields:
        name, _, value = each.partition(": ")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    status = int(line.split(" ")[1]) if " " in line else 0
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while True:
            size, _, rest = rest.partition(b"\r\n")
            if not size or int(size, 16) == 0:
                return Got(status, headers, body, size == b"0")
            body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    length = 0 if method == "HEAD" or status in (204, 304) else int(headers.get("content-length", "0"))
    return Got(status, headers, rest, len(rest) == length)


@contextlib.asynccontextmanager
async def cached(
    script: Script, settings: Cache | None = None, storage: CacheStorage = STORAGE, **more: object
) -> AsyncIterator[tuple[World, Origin]]:
    """A gateway with one open route that caches, before such a service. `more`: of `world.gateway`."""
    origin = Origin(script)
    server = await asyncio.start_server(origin.serve, "127.0.0.1", 0)
    origin.port = int(server.sockets[0].getsockname()[1])
    settings = Cache() if settings is None else settings
    routes = more.pop("routes", None) or [route("/", auth=(), cache=settings)]
    services = more.pop("services", None) or [service(targets=[target(origin.port)])]
    try:
        async with gateway(services, routes, cache=storage, **more) as world:  # type: ignore[arg-type]
            yield world, origin
    finally:
        server.close()
        await origin.close()
