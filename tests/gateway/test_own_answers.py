"""Health, metrics, draining, and what is counted where."""

import asyncio
import json
import random

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.gateway.world import (
    KEY,
    OPEN,
    PEPPER,
    MemoryCounters,
    MemorySink,
    gateway,
    run,
    service,
    snapshot,
    statuses,
    talk,
    upstream,
)

from foregate.gateway import Gateway, counter_slots
from foregate.http1 import Request, Response
from foregate.kernel.clock import SystemClock
from foregate.wire.snapshot import RateLimit, Route


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/healthz"])
def test_health_answers_without_key_or_event(path: str) -> None:
    async def main() -> None:
        async with gateway([service(1)], [Route("/", "svc")]) as world:
            response = await world.client.request("GET", world.url(path))
            assert (response.status, json.loads(await response.read())["status"]) == (200, "ok")
            refused = await world.client.request("POST", world.url(path))
            assert (refused.status, refused.header("allow")) == (405, "GET, HEAD")
            await refused.read()
            assert world.sink.events == []

    run(main)


def test_metrics_parse_and_agree_with_the_events() -> None:
    async def main() -> None:
        routes = [OPEN, Route('/odd"path', "svc", rate_limit=RateLimit(0.01, 1.0))]
        async with upstream() as (_, port), gateway([service(port)], routes) as world:
            for _ in range(3):
                await (await world.client.request("GET", world.url("/a"))).read()
            for _ in range(2):
                request = f'GET /odd"path HTTP/1.1\r\nHost: a\r\nX-Api-Key: {KEY}\r\nConnection: close\r\n\r\n'
                await talk(world.port, request.encode())
            await talk(world.port, b"GET / HTTP/1.1\r\n\r\n")
            world.sink.full = True
            await (await world.client.request("GET", world.url("/a"))).read()
            page = (await (await world.client.request("GET", world.url("/metrics"))).read()).decode()
        samples = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
        }

        def value(name: str, **labels: str) -> float:
            return samples[name, tuple(sorted(labels.items()))]

        odd = {"service": "svc", "route": '/odd"path'}
        assert value("foregate_http_requests_total", service="svc", route="/", status_class="2xx") == 4
        assert value("foregate_http_requests_total", **odd, status_class="2xx") == 1
        assert value("foregate_http_requests_total", **odd, status_class="4xx") == 1
        assert value("foregate_limited_total", **odd) == 1
        assert value("http_server_request_duration_seconds_count", service="svc", route="/") == 4
        assert value("http_server_request_duration_seconds_bucket", service="svc", route="/", le="+Inf") == 4
        assert value("foregate_refused_messages_total", code="malformed_request") == 1
        assert value("foregate_events_shed_total") == 1
        assert value("foregate_connections") >= 0
        assert len(world.sink.events) == 5

    run(main)


def test_a_scrape_of_one_worker_shows_what_all_have_counted() -> None:
    async def main() -> None:
        config = snapshot([service(1)], [Route("/", "svc")])
        rows = [[0.0] * counter_slots(config) for _ in range(2)]
        for row in range(2):
            counters = MemoryCounters(counter_slots(config), rows, row)
            worker = Gateway(
                config, clock=SystemClock(), sink=MemorySink(), counters=counters, pepper=PEPPER,
                rng=random.Random(1), log=lambda what, facts: None,
            )  # fmt: skip
            server = await asyncio.get_running_loop().create_server(worker.protocol_factory, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            await talk(port, b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            page = await talk(port, b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            server.close()
            await worker.drain(0)
        assert b'foregate_http_requests_total{service="svc",route="/",status_class="4xx"} 2\n' in page

    run(main)


def test_counters_that_are_too_few_are_refused_at_start() -> None:
    async def main() -> None:
        config = snapshot([service(1)], [OPEN])
        with pytest.raises(ValueError, match="slots"):
            Gateway(
                config, clock=SystemClock(), sink=MemorySink(), counters=MemoryCounters(3), pepper=PEPPER,
                rng=random.Random(1), log=lambda what, facts: None,
            )  # fmt: skip

    run(main)


def test_draining_lets_requests_end_and_takes_no_new_ones() -> None:
    started = asyncio.Event()

    async def answer(request: Request) -> Response:
        started.set()
        await asyncio.sleep(0.2)
        return Response(200, b"done", [])

    async def main() -> None:
        async with upstream(answer) as (_, port), gateway([service(port)]) as world:
            asked = asyncio.get_running_loop().create_task(talk(world.port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
            await started.wait()
            await world.gateway.drain(5.0)
            raw = await asked
            assert statuses(raw) == [200]
            assert b"connection: close" in raw
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection("127.0.0.1", world.port)
            assert world.event.status == 200

    run(main)


def test_draining_breaks_off_what_takes_too_long() -> None:
    async def answer(request: Request) -> Response:
        await asyncio.sleep(60)
        return Response()

    async def main() -> None:
        async with upstream(answer) as (_, port), gateway([service(port)]) as world:
            asked = asyncio.get_running_loop().create_task(talk(world.port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
            await asyncio.sleep(0.1)
            await world.gateway.drain(0.1)
            assert await asked == b""
            assert world.event.status == 499

    run(main)
