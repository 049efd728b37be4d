"""A second service sees what the first one saw, after the client has its answer; clients notice nothing."""

import asyncio
import gc

import pytest
from tests.gateway.world import World, gateway, refusing_port, route, run, service, upstream

from foregate.http1 import Request, Response
from foregate.wire.mirror import Mirror


def mirrored(**settings: object) -> list[object]:
    return [route("/", auth=(), mirror=Mirror("next", **settings))]  # type: ignore[arg-type]


async def counted(gate: World, result: str, at_least: int = 1) -> int:
    """How many mirrored requests ended so, once there are as many."""
    for _ in range(400):
        page = await (await gate.client.request("GET", gate.url("/metrics"))).read()
        found = [line for line in page.decode().splitlines() if f'result="{result}"' in line]
        if found and (count := int(float(found[0].rsplit(" ", 1)[1]))) >= at_least:
            return count
        await asyncio.sleep(0.005)
    raise AssertionError(f"never {at_least} times {result}")


def test_the_second_service_is_asked_the_same_once_the_client_has_its_answer() -> None:
    async def main() -> None:
        answered = asyncio.Event()

        async def patient(request: Request) -> Response:
            await asyncio.wait_for(answered.wait(), 2.0)
            return Response(200, f"{request.path}?{request.query}".encode(), [(b"content-type", b"text/plain")])

        async with (
            upstream() as (_, first),
            upstream(patient) as (seen, second),
            gateway([service(first), service(second, name="next")], mirrored()) as gate,
        ):
            answer = await gate.client.request("GET", gate.url("/a?b=1"), headers=[(b"x-own", b"1")])
            assert (answer.status, await answer.read()) == (200, b"/a?b=1")
            answered.set()
            assert await counted(gate, "same") == 1
            asked = seen.requests[0]
            assert (asked.path, asked.query, asked.header("x-own")) == ("/a", "b=1", "1")
            assert asked.header("x-foregate-mirror") == "1"
            assert len(gate.sink.events) == 1

    run(main)


def test_answers_that_differ_are_counted_and_said_without_their_values() -> None:
    async def other(request: Request) -> Response:
        return Response(200, b'{"secret": "two"}', [(b"content-type", b"application/json")])

    async def one(request: Request) -> Response:
        return Response(200, b'{"secret": "one"}', [(b"content-type", b"application/json")])

    async def main() -> None:
        async with (
            upstream(one) as (_, first),
            upstream(other) as (_, second),
            gateway([service(first), service(second, name="next")], mirrored()) as gate,
        ):
            for _ in range(3):
                assert await (await gate.client.request("GET", gate.url())).read() == b'{"secret": "one"}'
            assert await counted(gate, "different", 3) == 3
            said = [facts for what, facts in gate.log if what == "mirror_differs"]
            assert len(said) == 1
            assert said[0]["differs"] == ["/secret"]
            assert "one" not in str(said[0]["differs"])

    run(main)


def test_bodies_are_mirrored_when_their_methods_are_named_and_they_are_small_enough() -> None:
    async def main() -> None:
        async with upstream() as (_, first), upstream() as (seen, second):
            routes = mirrored(methods=("POST",), body_bytes_max=10)
            async with gateway([service(first), service(second, name="next")], routes) as gate:
                for body in (b"small", b"far too large"):
                    answer = await gate.client.request("POST", gate.url(), body=body)
                    assert answer.status == 200
                await gate.client.request("GET", gate.url())
                assert await counted(gate, "same") == 1
                assert await counted(gate, "skipped") == 1
                assert seen.bodies == [b"small"]

    run(main)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_only_the_share_is_mirrored(share: float) -> None:
    async def main() -> None:
        async with upstream() as (_, first), upstream() as (seen, second):
            routes = mirrored(share=share, inflight_max=1_000)
            async with gateway([service(first), service(second, name="next")], routes) as gate:
                for _ in range(200):
                    await (await gate.client.request("GET", gate.url())).read()
                if share:
                    await counted(gate, "same", int(200 * share * 0.5))
                await asyncio.sleep(0.05)
                assert 200 * share * 0.5 <= len(seen.requests) <= 200 * share * 1.6

    run(main)


def test_a_second_service_that_is_gone_or_slow_harms_nobody() -> None:
    async def main() -> None:
        never = asyncio.Event()

        async def slow(request: Request) -> Response:
            await never.wait()
            return Response(200)

        async with upstream() as (_, first), upstream(slow) as (seen, second):
            gone = service(refusing_port(), name="next")
            async with gateway([service(first), gone], mirrored()) as gate:
                for _ in range(3):
                    assert (await gate.client.request("GET", gate.url())).status == 200
                assert await counted(gate, "failed", 3) == 3
                assert {event.error for event in gate.sink.events} == {""}
            async with gateway([service(first), service(second, name="next")], mirrored(inflight_max=2)) as gate:
                for _ in range(5):
                    assert (await gate.client.request("GET", gate.url())).status == 200
                assert await counted(gate, "skipped", 3) == 3
                assert len(seen.requests) == 2

    run(main)


def test_mirrored_requests_leave_nothing_to_the_collector() -> None:
    async def main() -> None:
        async with (
            upstream() as (_, first),
            upstream() as (_, second),
            gateway([service(first), service(second, name="next")], mirrored()) as gate,
        ):
            for _ in range(30):
                await (await gate.client.request("GET", gate.url())).read()
            assert await counted(gate, "same", 30) == 30
            kinds = [type(one).__name__ for one in gc.get_objects()]
            for kind in ("InnerExchange", "InnerProxied", "Mirrored", "_Shadow", "Held"):
                assert kinds.count(kind) <= 2, kind  # the last one may still be held by the loop

    gc.collect()
    gc.disable()
    try:
        run(main)
    finally:
        gc.enable()
