"""Targets without connections for the algorithms, and services with them on real sockets."""

import asyncio
import random
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from foregate.gateway.policies.breaker import Circuit
from foregate.gateway.upstream import Pool, Services
from foregate.gateway.upstream.addresses import Resolver, system_resolver
from foregate.http1.deadlines import Deadlines
from foregate.http1.fetch import ClientResponse
from foregate.kernel.clock import Clock, SystemClock
from foregate.kernel.errors import ForegateError
from foregate.wire.policies import CircuitBreaker
from foregate.wire.snapshot import Balance, Health, Service, Target, UpstreamTls


@dataclass(eq=False)
class Fake:
    """A target as balancing sees it."""

    url: str
    weight: int = 1
    inflight: int = 0
    latency_s: float = 0.0
    sampled_s: float = 0.0
    warming: bool = False
    warmth: float = 1.0
    credit: float = 0.0
    circuit: Circuit = field(default_factory=lambda: Circuit(CircuitBreaker(failures=1, open_s=1e9)))

    def share(self, now_s: float) -> float:
        return self.warmth

    def turn_comes(self, now_s: float) -> bool:
        self.credit += self.warmth
        if self.credit < 1.0:
            return False
        self.credit -= 1.0
        return True

    def open_circuit(self) -> None:
        self.circuit.enter(0.0)
        self.circuit.failed(0.0)


def fakes(weights: Sequence[int]) -> list[Fake]:
    return [Fake(f"http://10.0.0.{index}:80", weight) for index, weight in enumerate(weights)]


Logged = list[tuple[str, dict[str, object]]]


class Held:
    """`Services` with what they were given: the log, and the cells by name."""

    def __init__(self, clock: Clock | None = None, resolve: Resolver = system_resolver) -> None:
        self.clock = clock or SystemClock()
        self.deadlines = Deadlines(self.clock, tick_s=0.05)
        self.log: Logged = []
        self.cells: dict[str, array[float]] = {}
        note = lambda what, facts: self.log.append((what, facts))  # noqa: E731
        self.services = Services(self.clock, self.deadlines, random.Random(5), note, resolve)

    def cells_of(self, name: str) -> "array[float]":
        return self.cells.setdefault(name, array("d", [0.0] * 8))

    @property
    def said(self) -> list[str]:
        return [what for what, _ in self.log]

    async def close(self) -> None:
        await self.services.close()
        self.deadlines.stop()


def tcp(port: int, host: str = "127.0.0.1", *, tls: bool = False, weight: int = 1, zone: str = "") -> Target:
    url = f"{'https' if tls else 'http'}://{host}:{port}"
    return Target(url, host, port, tls=tls, weight=weight, zone=zone)


def service(
    *targets: Target,
    name: str = "svc",
    balance: Balance = Balance(),  # noqa: B008 - frozen
    health: Health = Health(),  # noqa: B008
    tls: UpstreamTls = UpstreamTls(),  # noqa: B008
    connect_timeout_s: float = 2.0,
    connections_max: int = 1_000,
) -> Service:
    return Service(name, targets, connect_timeout_s, balance, health, tls, connections_max=connections_max)


async def ask(pool: Pool, path: str = "/") -> ClientResponse:
    """A GET over the pool as the gateway does it: on an idle connection, or else on a new one. Raises ForegateError."""
    connection = pool.take() or await pool.open()
    if isinstance(connection, str):
        raise ForegateError(connection)
    response = ClientResponse()
    head = b"GET %s HTTP/1.1\r\nhost: x\r\n\r\n" % path.encode()
    connection.send(response, head, 5.0, head_only=False, complete=True, chunked=False)
    await response.head()
    return response


async def until(holds: Callable[[], object], within_s: float = 15.0) -> None:
    """Wait for what must come to pass."""
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.01)
