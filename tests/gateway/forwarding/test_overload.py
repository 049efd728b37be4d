"""Bulkheads, adaptive limits and shedding as a client meets them."""

import asyncio
import json
from typing import Any

import pytest
from tests.gateway.world import NO_RETRY, OPEN, gateway, route, run, service, snapshot, upstream

from foregate.http1 import Request, Response
from foregate.wire.policies import AdaptiveConcurrency, Bulkhead, Extension, Fallback, LoadShedding, Policies


def test_a_full_bulkhead_refuses_at_once_and_takes_more_afterwards() -> None:
    release = asyncio.Event()

    async def answer(request: Request) -> Response:
        await release.wait()
        return Response(200, b"{}")

    async def main() -> None:
        async with upstream(answer) as (seen, port), gateway([service(port, bulkhead=Bulkhead(max=2))]) as world:
            loop = asyncio.get_running_loop()
            held = [loop.create_task(world.client.request("GET", world.url())) for _ in range(2)]
            while len(seen.requests) < 2:
                await asyncio.sleep(0.01)
            refused = await world.client.request("GET", world.url())
            assert (refused.status, json.loads(await refused.read())["code"]) == (503, "bulkhead_full")
            assert refused.header("retry-after") == "1"
            assert world.event.policies.endswith("bulkhead:refused")
            release.set()
            for task in held:
                await (await task).read()
            assert (await world.client.request("GET", world.url())).status == 200

    run(main)


def test_metrics_tell_who_waits_and_how_much_a_service_is_believed_to_bear() -> None:
    release = asyncio.Event()

    async def answer(request: Request) -> Response:
        await release.wait()
        return Response(200, b"{}")

    async def main() -> None:
        bounds = {
            "adaptive_concurrency": AdaptiveConcurrency(start=30),
            "bulkhead": Bulkhead(max=1, queue=9, wait_s=20),
        }
        async with upstream(answer) as (_, port), gateway([service(port, **bounds)]) as world:
            loop = asyncio.get_running_loop()
            tasks = [loop.create_task(world.client.request("GET", world.url())) for _ in range(3)]
            wanted = ('foregate_waiting_requests{service="svc"} 2', 'foregate_concurrency_limit{service="svc"} 30')
            text, until_s = "", loop.time() + 20.0
            while not all(line in text for line in wanted) and loop.time() < until_s:  # it is written every second
                await asyncio.sleep(0.1)
                text = (await (await world.client.request("GET", world.url("/metrics"))).read()).decode()
            assert all(line in text for line in wanted), text
            release.set()
            assert [(await task).status for task in tasks] == [200] * 3

    run(main)


def test_who_waits_for_a_place_is_served_by_priority() -> None:
    order: list[str] = []

    async def answer(request: Request) -> Response:
        order.append(request.path)
        await asyncio.sleep(0.2)
        return Response(200, b"{}")

    async def main() -> None:
        routes = [route("/low", auth=(), priority=10), route("/high", auth=(), priority=90), route("/", auth=())]
        async with (
            upstream(answer) as (_, port),
            gateway([service(port, bulkhead=Bulkhead(max=1, queue=9, wait_s=20.0))], routes) as world,
        ):
            loop = asyncio.get_running_loop()
            tasks = []
            for path in ("/first", "/low", "/high"):
                tasks.append(loop.create_task(world.client.request("GET", world.url(path))))
                await asyncio.sleep(0.05)
            assert [(await task).status for task in tasks] == [200] * 3
            assert order == ["/first", "/high", "/low"]

    run(main)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"bulkhead": Bulkhead(max=2)}, {"bulkhead": Bulkhead(max=1)}),
        (
            {"adaptive_concurrency": AdaptiveConcurrency(start=2, min=1, max=2, queue=0)},
            {"adaptive_concurrency": AdaptiveConcurrency(start=1, min=1, max=2, queue=0)},
        ),
    ],
)
def test_what_is_under_way_counts_after_a_reload_with_other_settings(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    release = asyncio.Event()

    async def answer(request: Request) -> Response:
        await release.wait()
        return Response(200, b"{}")

    async def main() -> None:
        async with upstream(answer) as (seen, port), gateway([service(port, **before)]) as world:
            held = asyncio.get_running_loop().create_task(world.client.request("GET", world.url()))
            while not seen.requests:
                await asyncio.sleep(0.01)
            await world.gateway.apply(snapshot([service(port, **after)], [OPEN]))
            refused = await world.client.request("GET", world.url())
            assert (refused.status, await refused.read() != b"") == (503, True)
            release.set()
            assert (await held).status == 200
            assert (await world.client.request("GET", world.url())).status == 200

    run(main)


def test_a_bulkhead_of_all_services_follows_a_reload_in_each_of_them() -> None:
    async def main() -> None:
        async with (
            upstream() as (_, port),
            gateway([service(port), service(port, name="b")], policies=Policies(bulkhead=Bulkhead(7))) as world,
        ):
            doors = {name: state.doors[0] for name, state in world.gateway._table.services.items()}
            assert doors["svc"] is not doors["b"]
            services = [service(port), service(port, name="b", bulkhead=Bulkhead(5))]
            await world.gateway.apply(snapshot(services, [OPEN], policies=Policies(bulkhead=Bulkhead(3))))
            assert [doors[name].gate.places for name in ("svc", "b")] == [3, 5]
            await world.gateway.apply(snapshot(services, [OPEN]))
            assert [len(state.doors) for state in world.gateway._table.services.values()] == [0, 1]
            bad = [route("/", auth=(), extensions=(Extension("unknown"),))]
            with pytest.raises(LookupError):
                await world.gateway.apply(snapshot(services, bad, policies=Policies(bulkhead=Bulkhead(2))))
            assert [len(state.doors) for state in world.gateway._table.services.values()] == [0, 1]

    run(main)


def test_an_adaptive_limit_keeps_the_surplus_away_from_the_service() -> None:
    most = now = 0

    async def answer(request: Request) -> Response:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.05)
        now -= 1
        return Response(200, b"{}")

    async def main() -> None:
        limit = AdaptiveConcurrency(start=5, min=2, max=5, queue=2, wait_s=20.0)
        async with upstream(answer) as (_, port), gateway([service(port, adaptive_concurrency=limit)]) as world:

            async def one() -> int:
                response = await world.client.request("GET", world.url())
                await response.read()
                return response.status

            statuses = await asyncio.gather(*[one() for _ in range(20)])
            assert (statuses.count(200), statuses.count(503), most) == (7, 13, 5)
            assert {event.error for event in world.sink.events if event.status == 503} == {"shed"}

    run(main)


def test_a_late_loop_sheds_the_unimportant() -> None:
    async def main() -> None:
        shedding = LoadShedding(lateness_s=1e-9, lateness_full_s=2e-9)  # any loop is late by this measure
        routes = [
            route("/vip", auth=(), priority=100, load_shedding=shedding),
            route("/", auth=(), priority=99, load_shedding=shedding),
        ]
        async with upstream() as (_, port), gateway([service(port)], routes) as world:
            await asyncio.sleep(1.0)  # until it has been measured
            found = [(await world.client.request("GET", world.url(path))).status for path in ("/", "/vip")]
            assert found == [503, 200]
            assert world.sink.events[0].error == "shed"

    run(main)


def test_adaptive_concurrency_learns_from_failures_that_a_fallback_hides() -> None:
    async def busy(request: Request) -> Response:
        return Response(503, b"")

    async def main() -> None:
        async with upstream(busy) as (_, port), upstream() as (_, spare):
            services = [
                service(port, retry=NO_RETRY, breaker=None, adaptive_concurrency=AdaptiveConcurrency(start=50)),
                service(spare, name="spare"),
            ]
            routes = [route("/", auth=(), fallback=Fallback(on=("503",), service="spare"))]
            async with gateway(services, routes) as world:
                gate = world.gateway._table.services["svc"].doors[0].gate
                until_s = asyncio.get_running_loop().time() + 20.0
                while gate.places == 50 and asyncio.get_running_loop().time() < until_s:
                    answers = [world.client.request("GET", world.url()) for _ in range(20)]
                    assert {answer.status for answer in await asyncio.gather(*answers)} == {200}
                assert gate.places < 50

    run(main)
