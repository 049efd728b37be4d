"""Whatever happens on the way, everything that was taken is given back, and each request leaves one event."""

import asyncio
import random

import pytest
from tests.gateway.world import gateway, raw_upstream, route, run, service

from foregate.wire.policies import (
    AdaptiveConcurrency,
    Bulkhead,
    CircuitBreaker,
    Fallback,
    Hedge,
    Retry,
    ServiceBreaker,
    Timeouts,
)

REQUESTS = 400


class Unreliable:
    """An upstream that answers, fails, hangs, truncates, streams or closes, as its dice say."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"content-length: 4" in head:
                await reader.readexactly(4)
            kind = self._rng.random()
            if self._rng.random() < 0.3:
                await asyncio.sleep(self._rng.uniform(0.0, 0.1))
            if kind < 0.45:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            elif kind < 0.6:
                writer.write(b"HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno")
            elif kind < 0.7:
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
                await asyncio.sleep(0.02)
                writer.write(b"0\r\nX-End: 1\r\n\r\n")
            elif kind < 0.8:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
                await asyncio.sleep(0.02)
                return
            elif kind < 0.87:
                await asyncio.sleep(1.0)
            elif kind < 0.92:
                writer.write(b"nonsense\r\n\r\n")
            else:
                return


async def one(port: int, rng: random.Random) -> None:
    """A client that asks once, and perhaps does not wait for the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    method = rng.choice([b"GET", b"GET", b"PUT", b"POST"])
    body = b"" if method == b"GET" else b"body"
    length = b"Content-Length: 4\r\n" if body else b""
    writer.write(b"%s / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n%s" % (method, length, body))
    try:
        await asyncio.wait_for(reader.read(), 0.03 if rng.random() < 0.15 else 20.0)
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_lost_and_nothing_given_back_twice(seed: int) -> None:
    async def main() -> None:
        rng = random.Random(seed)
        policies = {
            "retry": Retry(attempts=2, base_s=0.01, max_s=0.05, budget=0.3),
            "breaker": CircuitBreaker(failures=8, open_s=0.05, error_rate=0.7, window=20),
            "service_breaker": ServiceBreaker(error_rate=0.8, requests_min=20, window_s=1.0, open_s=0.05),
            "hedge": Hedge(after_s=0.03, max=2),
            "bulkhead": Bulkhead(max=30, queue=10, wait_s=0.2),
            "adaptive_concurrency": AdaptiveConcurrency(start=40, queue=20, wait_s=0.2),
            "fallback": Fallback(service="spare", on=("circuit_open", "upstream_timeout", "503")),
        }
        async with raw_upstream(Unreliable(rng)) as first, raw_upstream(Unreliable(rng)) as second:
            services = [service(first, second, **policies), service(second, name="spare", bulkhead=Bulkhead(5))]  # type: ignore[arg-type]
            limited = [route("/", auth=(), timeouts=Timeouts(attempt_s=0.25, total_s=0.6))]
            async with gateway(services, limited) as world:
                for _ in range(REQUESTS // 40):
                    await asyncio.gather(*[one(world.port, rng) for _ in range(40)])
                await asyncio.sleep(0.4)
                table = world.gateway._table
                for state in table.services.values():
                    assert (state.inflight, state.budget.active) == (0, 0)
                    assert [target.inflight for target in state.targets] == [0] * len(state.targets)
                gates = [door.gate for state in table.services.values() for door in state.doors]
                assert len(gates) == 3
                assert [(gate.inside, gate.waiting) for gate in gates] == [(0, 0)] * len(gates)
                assert len(world.sink.events) == REQUESTS
                seen = " ".join(event.policies for event in world.sink.events)
                assert "hedge:won" in seen
                assert "fallback:service" in seen
                assert {200, 499, 502} <= {event.status for event in world.sink.events}

    run(main, timeout_s=90.0)
