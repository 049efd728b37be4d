"""A real ingest server on loopback, over a real bus file; everything in one process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import uvloop

from foregate.adapters.embedded.blocks import open_blocks
from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.app.listeners import listen
from foregate.http1 import Client
from foregate.kernel.clock import SystemClock
from foregate.kernel.secrets import hash_key
from foregate.ports.blocks import Blocks
from foregate.ports.bus import Append, Bus
from foregate.telemetry.ingest import INTAKE_ROWS, IngestServer
from foregate.wire import TOPIC_EVENTS
from foregate.wire.event import RequestEvent, decode_events
from foregate.wire.ingest import Ingest, IngestKey

T = TypeVar("T")
PEPPER = b"pepper of the tests, 32 bytes ok"
SECRET = "fg_test_0123456789abcdefghij"
CLOCK = SystemClock()


def run(main: Callable[[], Awaitable[T]], timeout_s: float = 30.0) -> T:
    async def bounded() -> T:
        return await asyncio.wait_for(main(), timeout_s)

    return uvloop.run(bounded())


def key(**more: Any) -> IngestKey:
    """The key of `SECRET`."""
    return msgspec.structs.replace(
        IngestKey("sender", hash_key(SECRET, PEPPER), "acme", "staging", "eu", "aws"), **more
    )


def item(**more: Any) -> dict[str, Any]:
    """A good request event, as people send it."""
    return {
        "time": CLOCK.now(),
        "service": "orders",
        "path": "/x",
        "method": "GET",
        "status": 200,
        "latency_ms": 1,
        **more,
    }


class FailingBus:
    """The real bus, that fails while it is told to, or waits."""

    def __init__(self, bus: EmbeddedBus) -> None:
        self._bus = bus
        self.failure: OSError | None = None
        self.gate: Callable[[], object] = lambda: None

    def append_all(self, appends: Sequence[Append]) -> list[bool]:
        self.gate()
        if self.failure is not None:
            raise self.failure
        return self._bus.append_all(appends)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class World:
    """A running server; `bus` is what it writes to."""

    server: IngestServer
    port: int
    bus: FailingBus
    blocks: Blocks
    mistakes: int = 0  # of ours, that a test expects
    client: Client = field(default_factory=lambda: Client(CLOCK))

    async def post(
        self, body: Any, path: str = "/v1/telemetry", kind: str = "application/json", secret: str = SECRET, **more: str
    ) -> Answer:
        """Send it, with further headers (`_` for `-`)."""
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        headers = [(b"content-type", kind.encode())]
        if secret:
            headers.append((b"x-api-key", secret.encode()))
        headers += [(name.replace("_", "-").encode(), value.encode()) for name, value in more.items()]
        return await self.ask("POST", path, data, headers)

    async def ask(
        self, method: str, path: str, body: bytes = b"", headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> Answer:
        url = f"http://127.0.0.1:{self.port}{path}"
        answer = await self.client.request(method, url, headers=list(headers), body=body)
        return Answer(
            answer.status, {name.decode(): value.decode() for name, value in answer.headers}, await answer.read()
        )

    def stored(self, topic: str = TOPIC_EVENTS, decode: Callable[[bytes], list[Any]] = decode_events) -> list[Any]:
        """All items of a topic on the bus."""
        return [
            item
            for partition in range(self.bus.partitions)
            for batch in self.bus.read(topic, partition, -1, 10_000)
            for item in decode(batch.payload)
        ]

    def batches(self, topic: str = TOPIC_EVENTS) -> list[int]:
        """How many items each has."""
        return [
            batch.items
            for partition in range(self.bus.partitions)
            for batch in self.bus.read(topic, partition, -1, 10_000)
        ]


@contextlib.asynccontextmanager
async def world(
    folder: Path, *keys: IngestKey, refuse: Callable[[], str] = lambda: "", **settings: Any
) -> AsyncIterator[World]:
    """`settings` of `wire.ingest.Ingest`."""
    bus = FailingBus(EmbeddedBus(folder / "bus.sqlite", CLOCK))
    blocks = open_blocks(folder / "ingest.bin", INTAKE_ROWS, 0)
    log: list[tuple[str, dict[str, object]]] = []
    server = IngestServer(
        Ingest(keys=keys or (key(),), **settings),
        open_bus=lambda: _kept_open(bus),
        blocks=blocks,
        pepper=PEPPER,
        clock=CLOCK,
        log=lambda what, facts: log.append((what, facts)),
        producer="tests",
        connections_max=1_000,
        refuse=refuse,
    )
    sock = listen("127.0.0.1", 0)
    server.listen(sock)
    running = World(server, sock.getsockname()[1], bus, blocks)
    try:
        yield running
        assert [what for what, _ in log].count("post_failed") == running.mistakes, log
    finally:
        await running.client.close()
        await server.close(1.0)
        bus._bus.close()
        blocks.close()


def _kept_open(bus: FailingBus) -> Bus:
    """The tests look at it afterwards."""
    bus.close = lambda: None  # type: ignore[method-assign]
    return bus  # type: ignore[return-value]


def services(events: Sequence[RequestEvent]) -> list[str]:
    return sorted(event.service for event in events)
