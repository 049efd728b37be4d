"""Something else instead of a failure, said openly."""

import asyncio
import json

import pytest
from tests.gateway.world import gateway, raw_upstream, refusing_port, run, service, upstream

from foregate.gateway import layout
from foregate.http1 import Request, Response
from foregate.wire.policies import Bulkhead, CircuitBreaker, Fallback

FIXED = Fallback(status=200, body='{"items": []}')
ONE_FAILURE = CircuitBreaker(failures=1, open_s=60.0)


def test_a_fixed_answer_stands_for_a_service_that_cannot_be_reached() -> None:
    async def main() -> None:
        async with gateway([service(refusing_port(), fallback=FIXED, breaker=ONE_FAILURE)]) as world:
            for error in ("upstream_refused", "circuit_open"):
                answer = await world.client.request("GET", world.url())
                assert (answer.status, await answer.read()) == (200, b'{"items": []}')
                assert answer.header("x-gateway-fallback") == "1"
                assert answer.header("content-type") == "application/json"
                event = world.sink.events[-1]
                assert answer.header("x-request-id") == event.request_id
                assert (event.status, event.error) == (200, error)  # the failure stays visible
                assert "fallback:answer" in event.policies

    run(main)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_service_answers_with_the_same_request(method: str) -> None:
    async def main() -> None:
        async with upstream() as (seen, port):
            services = [service(refusing_port(), fallback=Fallback(service="spare")), service(port, name="spare")]
            async with gateway(services) as world:
                answer = await world.client.request(method, world.url("/a?b"), body=b"the body")
                assert (answer.status, await answer.read()) == (200, b"/a?b")
                assert answer.header("x-gateway-fallback") == "1"
                assert answer.header("x-gateway-service") == "spare"
                assert seen.bodies == [b"the body"]
                event = world.event
                assert "fallback:service:svc" in event.policies
                assert (event.service, event.target, event.route) == ("spare", f"http://127.0.0.1:{port}", "/")
                assert (event.error, event.status, event.attempts) == ("", 200, 2)
                assert [state.inflight for state in world.gateway._table.services.values()] == [0, 0]

    run(main)


def test_only_the_event_of_the_request_that_went_elsewhere_names_the_other_service() -> None:
    failing = True

    async def answer(request: Request) -> Response:
        return Response(502 if failing else 200, b"its own")

    async def main() -> None:
        nonlocal failing
        async with upstream(answer) as (_, first), upstream() as (_, second):
            services = [
                service(first, fallback=Fallback(service="spare", on=("502",))),
                service(second, name="spare"),
            ]
            async with gateway(services) as world:
                for _ in range(3):
                    await (await world.client.request("GET", world.url())).read()
                    failing = not failing
                assert [event.service for event in world.sink.events] == ["spare", "svc", "spare"]
                cells = [state.cells for state in world.gateway._table.services.values()]
                assert [each[layout.FALLBACKS] for each in cells] == [2.0, 0.0]

    run(main)


def test_an_upstreams_own_502_can_be_replaced_too() -> None:
    async def answer(request: Request) -> Response:
        return Response(502, b"proxy error")

    async def main() -> None:
        fallback = Fallback(status=200, body="{}", on=("502",))
        async with upstream(answer) as (_, port), gateway([service(port, fallback=fallback)]) as world:
            for _ in range(2):  # the connection whose answer was dropped does no harm
                found = await world.client.request("GET", world.url())
                assert (found.status, await found.read()) == (200, b"{}")

    run(main)


def test_a_fallback_that_fails_is_a_failure_and_not_tried_again() -> None:
    async def main() -> None:
        services = [
            service(refusing_port(), fallback=Fallback(service="spare")),
            service(refusing_port(), name="spare", fallback=Fallback(service="svc")),
        ]
        async with gateway(services) as world:
            answer = await world.client.request("GET", world.url())
            assert (answer.status, json.loads(await answer.read())["code"]) == (502, "upstream_refused")
            assert (world.event.attempts, world.event.service) == (2, "spare")

    run(main)


def test_other_failures_stay_what_they_are() -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"nonsense\r\n\r\n")

    async def main() -> None:
        async with raw_upstream(nonsense) as port, gateway([service(port, fallback=FIXED)]) as world:
            answer = await world.client.request("GET", world.url())
            assert (answer.status, json.loads(await answer.read())["code"]) == (502, "upstream_malformed")

    run(main)


def test_a_body_too_large_to_keep_goes_to_no_other_service() -> None:
    async def take_and_close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        await reader.readexactly(150_000)

    async def main() -> None:
        async with raw_upstream(take_and_close) as port, upstream() as (seen, spare):
            services = [service(port, fallback=Fallback(service="spare")), service(spare, name="spare")]
            async with gateway(services) as world:
                answer = await world.client.request("PUT", world.url(), body=b"x" * 200_000)
                assert answer.status == 502
                await answer.read()
                assert seen.requests == []

    run(main)


def test_a_refusal_can_be_replaced_by_a_fixed_answer() -> None:
    release = asyncio.Event()

    async def answer(request: Request) -> Response:
        await release.wait()
        return Response(200, b"real")

    async def main() -> None:
        fallback = Fallback(status=200, body="stale", content_type="text/plain", on=("bulkhead_full",))
        async with (
            upstream(answer) as (seen, port),
            gateway([service(port, bulkhead=Bulkhead(max=1), fallback=fallback)]) as world,
        ):
            first = asyncio.get_running_loop().create_task(world.client.request("GET", world.url()))
            while not seen.requests:
                await asyncio.sleep(0.01)
            found = await world.client.request("GET", world.url())
            assert (found.status, await found.read(), found.header("x-gateway-fallback")) == (200, b"stale", "1")
            assert world.event.error == "bulkhead_full"
            assert world.event.policies.endswith("fallback:answer bulkhead:refused")
            release.set()
            assert await (await first).read() == b"real"

    run(main)


def test_another_service_takes_no_more_than_its_bulkhead_does() -> None:
    release = asyncio.Event()

    async def answer(request: Request) -> Response:
        await release.wait()
        return Response(200, b"spare")

    async def main() -> None:
        async with upstream(answer) as (seen, port):
            spare = service(port, name="spare", bulkhead=Bulkhead(max=1, queue=5, wait_s=5.0))
            async with gateway([service(refusing_port(), fallback=Fallback(service="spare")), spare]) as world:
                first = asyncio.get_running_loop().create_task(world.client.request("GET", world.url()))
                while not seen.requests:
                    await asyncio.sleep(0.01)
                refused = await world.client.request("GET", world.url())
                assert (refused.status, json.loads(await refused.read())["code"]) == (502, "upstream_refused")
                assert "fallback:refused" in world.event.policies
                release.set()
                assert (await first).status == 200
                again = await world.client.request("GET", world.url())
                assert (again.status, await again.read()) == (200, b"spare")
                (door,) = world.gateway._table.services["spare"].doors
                assert door.gate.inside == 0

    run(main)
