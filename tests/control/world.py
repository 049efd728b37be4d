"""Real embedded stores filled by the real consumer from seeded events, and a console on a real socket in front."""

import asyncio
import http.client
import json
import math
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from structlog.testing import CapturingLogger

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.findings import EmbeddedFindings
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.control import ControlDeps, create_app, serve
from foregate.control.console.files import ASSETS
from foregate.kernel.clock import Clock, ManualClock
from foregate.telemetry.consumer import Consumer
from foregate.telemetry.query import Query
from foregate.telemetry.windows import Windower
from foregate.wire import TOPIC_EVENTS
from foregate.wire.entity import Entity
from foregate.wire.event import RequestEvent, encode_event
from foregate.wire.health import ProcessHealth
from foregate.wire.match import Rule
from foregate.wire.snapshot import Listener, Route, Service, Snapshot, Target, Weighted

TOKEN = "a-console-token-of-a-test"
NOW_S = 1_700_000_040.0
ROUTES = (("ai", "/ai", 6.0, 320.0), ("payments", "/payments", 8.0, 60.0), ("search", "/search", 12.0, 25.0))


def entity(service: str, route: str | None = None) -> Entity:
    return Entity("demo", service, route or f"/{service}", "demo")


def make_event(rng: Random, service: str, time_s: float, latency_ms: float, status: int = 200) -> RequestEvent:
    return RequestEvent(
        time_s=time_s,
        org="demo",
        service=service,
        route=f"/{service}",
        method=rng.choice(["GET", "GET", "POST"]),
        status=status,
        latency_ms=latency_ms,
        upstream_ms=latency_ms * 0.9,
        request_bytes=rng.randrange(50, 400),
        response_bytes=rng.randrange(100, 9_000),
        key_id=rng.choice(["web", "mobile", "partner"]),
        environment="demo",
        request_id=f"{rng.getrandbits(128):032x}",
        trace_id=f"{rng.getrandbits(128):032x}",
        span_id=f"{rng.getrandbits(64):016x}",
        attempts=1,
        limit="allowed",
        breaker="closed",
        cache="none",
        error="upstream_timeout" if status == 504 else "",
        target="http://127.0.0.1:9000",
        inflight=rng.randrange(1, 9),
        first_byte_ms=latency_ms * 0.8,
    )


def traffic(rng: Random, from_s: float, until_s: float, slow: float = 1.0) -> list[RequestEvent]:
    """Poisson-like traffic on all routes; `slow` multiplies the latency of payments, which fails more above 4."""
    events = []
    for service, _, rate, median_ms in ROUTES:
        time_s = from_s + rng.expovariate(rate)
        while time_s < until_s:
            factor = slow if service == "payments" else 1.0
            failing = service == "payments" and rng.random() < max(0.0, slow - 4) * 0.1
            latency_ms = median_ms * factor * math.exp(rng.gauss(0, 0.4))
            events.append(make_event(rng, service, time_s, latency_ms, 504 if failing else 200))
            time_s += rng.expovariate(rate)
    return sorted(events, key=lambda event: event.time_s)


class World:
    """The stores of one data directory and the parts of the product that fill them."""

    def __init__(self, folder: Path, clock: Clock, seed: int = 1) -> None:
        self.clock = clock
        self.rng = Random(seed)
        self.log = CapturingLogger()
        self.bus = EmbeddedBus(folder / "bus.sqlite", clock)
        self.series = EmbeddedSeries(folder / "series.sqlite")
        self.findings = EmbeddedFindings(folder / "findings.sqlite")
        self.consumer = Consumer(self.bus, self.series, self.series, Windower(), clock)
        self._sequence = 0

    def feed(self, events: list[RequestEvent]) -> None:
        """Events onto the bus, and from there through the consumer into the series."""
        if not events:
            return
        payload = b"\xdd" + len(events).to_bytes(4, "big") + b"".join(map(encode_event, events))
        partition = self._sequence % self.bus.partitions
        self.bus.append(TOPIC_EVENTS, partition, payload, len(events), producer="test", sequence=self._sequence)
        self._sequence += 1
        while self.consumer.step():
            pass

    def deps(self, **changes: Any) -> ControlDeps:
        services = tuple(
            Service(name, (Target(f"http://127.0.0.1:{9000 + i}", "127.0.0.1", 9000 + i),))
            for i, (name, *_) in enumerate(ROUTES)
        )
        routes = tuple(Route(path, Rule(path), (Weighted(name),)) for name, path, *_ in ROUTES)
        listeners = (Listener(port=8080),)
        snapshot = Snapshot("v-of-the-test", listeners, services, routes, environment="demo", org="demo")
        deps = ControlDeps(
            telemetry=Query(self.series, self.bus, self.series.offsets),
            findings=self.findings,
            clock=self.clock,
            snapshot=lambda: snapshot,
            console_token=TOKEN,
            threshold=0.8,
            log=self.log,
            version="9.9.9",
            model_card={"model_version": "model-of-the-test"},
            processes=lambda: [ProcessHealth("gateway-0", "gateway", "running", 4711, NOW_S - 60, 0)],
            breakers=lambda: {"http://127.0.0.1:9001": "open"},
        )
        return replace(deps, **changes)

    def close(self) -> None:
        self.bus.close()
        self.series.close()
        self.findings.close()


@contextmanager
def world(folder: Path, clock: Clock | None = None) -> Iterator[World]:
    made = World(folder, clock or ManualClock(NOW_S))
    try:
        yield made
    finally:
        made.close()


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Console:
    """A console that listens on 127.0.0.1:`port`."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.host = f"127.0.0.1:{port}"
        self.url = f"http://{self.host}"

    def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        token: str | None = TOKEN,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """One request over a connection of its own; `token=None` sends none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            sent = {"Authorization": f"Bearer {token}"} if token is not None else {}
            connection.request(method, path, body, {**sent, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def get(self, path: str, status: int = 200) -> Any:
        """The JSON of GET /api/v1<path>, which must answer with `status`."""
        answer = self.ask(f"/api/v1{path}")
        assert answer.status == status, answer
        return answer.json()

    def cookie(self) -> str:
        """Sign in by a link; the Cookie header of the session."""
        link = self.ask("/api/v1/login-links", "POST").json()["url"]
        answer = self.ask(link.removeprefix(self.url), token=None)
        assert answer.status == 303, answer
        return answer.headers["set-cookie"].partition(";")[0]

    @contextmanager
    def stream(self, path: str = "/api/v1/live", accept: str = "text/event-stream") -> Iterator["Stream"]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=15) as sock:
            sock.sendall(
                f"GET {path} HTTP/1.1\r\nHost: {self.host}\r\nAccept: {accept}\r\n"
                f"Authorization: Bearer {TOKEN}\r\n\r\n".encode()
            )
            with sock.makefile("rb") as file:
                yield Stream(file)


class Stream:
    """Server-sent events read off a socket."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.status = int(file.readline().split()[1])
        while file.readline().strip():
            pass

    def lines(self) -> Iterator[str]:
        """Lines of the body without the chunks around them; ends with the stream."""
        rest = b""
        while size := int(self._file.readline().strip() or b"0", 16):
            rest += self._file.read(size)
            self._file.readline()
            *whole, rest = rest.split(b"\n")
            for line in whole:
                yield line.decode()

    def events(self) -> Iterator[tuple[str, Any]]:
        """(name, data) of each event."""
        name = ""
        for line in self.lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                yield name, json.loads(line.removeprefix("data: "))

    def until(self, names: set[str], events_max: int = 400) -> dict[str, Any]:
        """The first event of each of `names`."""
        found: dict[str, Any] = {}
        for count, (name, data) in enumerate(self.events()):
            found.setdefault(name, data)
            if names <= set(found) or count > events_max:
                return found
        return found


@contextmanager
def console(deps: ControlDeps, assets: Path = ASSETS, port: int = 0) -> Iterator[Console]:
    """Serve on a loopback port (0: a free one) from a thread; must stop within a bound when the block ends."""
    listener = socket.create_server(("127.0.0.1", port))
    loop_ready: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    ready = threading.Event()

    async def run() -> None:
        stop = asyncio.Event()
        loop_ready.append((asyncio.get_running_loop(), stop))
        ready.set()
        await serve(create_app(deps, assets), listener, stop)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert ready.wait(10)
    try:
        yield Console(listener.getsockname()[1])
    finally:
        loop, stop = loop_ready[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        assert not thread.is_alive(), "the console did not stop"
