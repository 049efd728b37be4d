"""The chains of consumers with policies of their own: shared, bounded, and each with its own counts."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.json import encode
from tests.gateway.policies.asking import means
from tests.gateway.world import PEPPER, World, gateway, route, run, service, upstream

from foregate.gateway import chains
from foregate.gateway.chains import ChainBuilder
from foregate.gateway.policies.policy import OWN, Policy
from foregate.gateway.shapes import Shape
from foregate.kernel.secrets import hash_key
from foregate.wire.policies import Bounds, Extension, Policies, Quota, Rate, RateLimit
from foregate.wire.snapshot import Key, Plan

SLOW = Rate(1.0, 1_000.0)  # nothing comes back while a test runs
RAW = [f"fg_test_{number}" for number in range(4)]


def keys(policies: Policies, plan: str = "") -> tuple[Key, ...]:
    return tuple(Key(f"k{raw[-1]}", raw, hash_key(raw, PEPPER), plan=plan, policies=policies) for raw in RAW)


async def status(world: World, raw: str, path: str = "/") -> int:
    answer = await world.client.request("GET", world.url(path), headers=[(b"x-api-key", raw.encode())])
    await answer.read()
    return answer.status


@pytest.mark.parametrize("by", ["key", "ip", "all", "route"])
def test_what_is_set_on_a_key_is_counted_for_that_key_alone(by: Any) -> None:
    async def main() -> None:
        own = Policies(rate_limits=(RateLimit(by=by, rate=SLOW, burst=1.0),), quotas=(Quota(9, "day", by=by),))
        async with upstream() as (_, port), gateway([service(port)], [route()], keys=keys(own)) as world:
            assert [await status(world, raw) for raw in RAW[:3]] == [200] * 3
            assert [await status(world, raw) for raw in RAW[:3]] == [429] * 3
            chain = world.gateway._table.entries[0].chain
            assert len({chain.of(f"key:k{number}") for number in range(4)}) == 1
            assert chain.of("key:k0") is not chain

    run(main)


def test_what_is_set_on_a_plan_is_shared_by_its_keys_as_by_says() -> None:
    async def main() -> None:
        policies = Policies(rate_limits=(RateLimit(by="plan", rate=SLOW, burst=2.0),))
        plans = (Plan("gold", policies),)
        own = keys(Policies(priority=60), "gold")
        async with upstream() as (_, port), gateway([service(port)], [route()], keys=own, plans=plans) as world:
            assert [await status(world, raw) for raw in RAW] == [200, 200, 429, 429]

    run(main)


def test_an_extension_set_on_keys_is_one_for_each() -> None:
    made: list[Policy] = []

    def make(settings: dict[str, Any]) -> Policy:
        made.append(Policy())
        made[-1].name = "mine"
        return made[-1]

    async def main() -> None:
        own = keys(Policies(extensions=(Extension("mine"),)))
        routes = [route("/a"), route("/b", priority=10)]
        extensions: dict[str, Callable[[dict[str, Any]], Policy]] = {"mine": make}
        async with upstream() as (_, port), gateway([service(port)], routes, keys=own, extensions=extensions) as world:
            assert [await status(world, raw, path) for raw in RAW[:2] for path in ("/a", "/b")] == [200] * 4
            assert len(made) == 2

    run(main)


def test_chains_of_consumers_are_bounded_over_all_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "CHAINS_MAX", 20)
    monkeypatch.setattr(chains, "PARTS_MAX", 20)
    limits = [RateLimit(rate=SLOW, burst=float(number + 1)) for number in range(100)]
    bounds = [Bounds(query_bytes_max=number) for number in range(100)]
    shapes = {
        f"key:{number}": Shape(None, OWN, encode(Policies(rate_limits=(limits[number],), bounds=bounds[number])))
        for number in range(100)
    }
    limits_of_all = type("", (), {"take": None, "take_one": None})
    builder = ChainBuilder(Policies(), shapes, means(limits=limits_of_all), {}, {})
    of_routes = [builder.chain(route(f"/{number}", priority=number), None) for number in range(10)]
    busy = of_routes[0].of("key:0")
    kept, same = len(builder.policies), len(builder._same)
    for number in range(100):
        for chain in of_routes:
            assert chain.of(f"key:{number}").limited
            assert of_routes[0].of("key:0") is busy  # it is used all the time: it is never made anew
    assert len(builder.scoped) <= 20
    assert len(builder._parts) <= 20
    assert (len(builder.policies), len(builder._same)) == (kept, same)
    assert of_routes[0].of("key:unknown") is of_routes[0]
