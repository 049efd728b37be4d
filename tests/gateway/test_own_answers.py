"""Health, metrics, draining, and what is counted where."""

import asyncio
import json
import tempfile
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.gateway.world import KEY, OPEN, gateway, route, run, service, statuses, talk, upstream

from foregate.http1 import Request, Response
from foregate.wire.policies import Rate, RateLimit


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready", "/healthz"])
def test_health_answers_without_key_or_event(path: str) -> None:
    async def main() -> None:
        async with gateway([service(1)], [route("/")]) as world:
            response = await world.client.request("GET", world.url(path))
            assert (response.status, json.loads(await response.read())["status"]) == (200, "ok")
            refused = await world.client.request("POST", world.url(path))
            assert (refused.status, refused.header("allow")) == (405, "GET, HEAD")
            await refused.read()
            assert world.sink.events == []

    run(main)


def test_metrics_parse_and_agree_with_the_events() -> None:
    async def main() -> None:
        limit = RateLimit(rate=Rate(1.0, 100.0), burst=1.0)
        routes = [OPEN, route('/odd"path', rate_limits=(limit,))]
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
        assert value("foregate_errors_total", code="malformed_request") == 1
        assert value("foregate_events_shed_total") == 1
        assert value("foregate_connections") >= 0
        assert len(world.sink.events) == 5

    run(main)


def test_a_scrape_of_one_worker_shows_what_all_have_counted() -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            for worker in range(2):
                async with gateway([service(1)], [route("/")], folder=Path(folder), worker=(worker, 2)) as world:
                    await talk(world.port, b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    page = await talk(world.port, b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert b'foregate_http_requests_total{service="svc",route="/",status_class="4xx"} 2\n' in page
        assert page.count(b'foregate_config_info{worker="') == 2

    run(main)


def test_metrics_are_for_those_who_may_see_them() -> None:
    async def main() -> None:
        async with gateway([service(1)], metrics_to=("10.0.0.0/8",)) as world:
            answer = await world.client.request("GET", world.url("/metrics"))
            assert answer.status == 403
            assert b"svc" not in await answer.read()
        async with gateway([service(1)]) as world:  # from here, but on behalf of somebody
            told = [(b"x-forwarded-for", b"9.9.9.9")]
            answer = await world.client.request("GET", world.url("/metrics"), headers=told)
            assert (answer.status, b"svc" in await answer.read()) == (403, False)

    run(main)


@pytest.mark.parametrize("hop", [b"junk", b"unknown", b"127.0.0.1, _hidden", b"", b"127.0.0.1, [::1"])
def test_metrics_are_not_for_somebody_behind_a_trusted_proxy_of_whom_nothing_is_known(hop: bytes) -> None:
    async def main() -> None:
        async with gateway([service(1)], trusted_proxies=("127.0.0.0/8",)) as world:
            for told in ((b"x-forwarded-for", hop), (b"forwarded", b"for=" + hop)):
                answer = await world.client.request("GET", world.url("/metrics"), headers=[told])
                assert (answer.status, b"svc" in await answer.read()) == (403, False), told
            told = (b"x-forwarded-for", b"::1")  # whom it knows is let in
            answer = await world.client.request("GET", world.url("/metrics"), headers=[told])
            assert (answer.status, b"svc" in await answer.read()) == (200, True)

    run(main)


def test_a_long_page_of_metrics_leaves_time_for_requests() -> None:
    async def main() -> None:
        routes = [OPEN, *(route(f"/r{number}") for number in range(3_000))]
        async with upstream() as (_, port), gateway([service(port)], routes) as world:
            scraping = asyncio.get_running_loop().create_task(world.client.request("GET", world.url("/metrics")))
            answer = await scraping
            reading = asyncio.get_running_loop().create_task(answer.read())
            asked = await world.client.request("GET", world.url("/a"))
            assert asked.status == 200
            assert not reading.done()  # it was answered in between
            page = (await reading).decode()
            assert sum(1 for _ in text_string_to_metric_families(page)) > 10

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
