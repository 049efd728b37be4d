"""What is stale: asked about, given while it is asked for anew, given instead of an error."""

import asyncio

import msgspec
import pytest
from tests.gateway.cache.origin import Asked, Later, Said, cached, get
from tests.gateway.world import run, service, target

from foregate.wire.cache import Cache
from foregate.wire.policies import CircuitBreaker


def test_what_still_holds_is_given_with_its_new_head() -> None:
    clock = Later()

    def script(asked: Asked) -> Said:
        if asked.headers.get("if-none-match") == '"a"':
            return Said(b"", ["cache-control: max-age=60", "x-a: new"], 304)
        return Said(b"body", ["cache-control: max-age=60", 'etag: "a"', "x-a: old", "x-b: kept"])

    async def main() -> None:
        async with cached(script, clock=clock) as (world, origin):
            await get(world.port, "/a")
            clock.ahead_s = 61.0
            got = await get(world.port, "/a")
            assert (got.status, got.body, got.headers["x-a"], got.headers["x-b"]) == (200, b"body", "new", "kept")
            assert got.said.startswith("foregate; fwd=stale; fwd-status=304")
            again = await get(world.port, "/a")
            assert (again.cache, again.headers["x-a"], origin.count) == ("HIT", "new", 2)
            assert [event.cache for event in world.sink.events] == ["miss", "revalidated", "hit"]
            assert world.sink.events[1].attempts == 1

    run(main)


def test_a_client_that_has_what_still_holds_is_told_so() -> None:
    clock = Later()

    def script(asked: Asked) -> Said:
        return Said(b"body", ["cache-control: max-age=60", 'etag: "a"'], 304 if asked.number > 1 else 200)

    async def main() -> None:
        async with cached(script, clock=clock) as (world, origin):
            await get(world.port, "/a")
            clock.ahead_s = 61.0
            assert (await get(world.port, "/a", ['if-none-match: "a"'])).status == 304
            assert (await get(world.port, "/a", ['if-none-match: "b"'])).body == b"body"
            assert origin.asked[1].headers["if-none-match"] == '"a"'

    run(main)


def test_what_changed_takes_the_place_of_what_was() -> None:
    clock = Later()

    async def main() -> None:
        said = ["cache-control: max-age=60", 'etag: "a"']
        async with cached(lambda asked: Said(b"%d" % asked.number, said), clock=clock) as (world, _):
            await get(world.port, "/a")
            clock.ahead_s = 61.0
            assert [(await get(world.port, "/a")).body for _ in range(2)] == [b"2", b"2"]

    run(main)


def test_a_stale_answer_is_given_at_once_and_asked_for_once_behind_it() -> None:
    clock = Later()
    gate = asyncio.Event()

    async def script(asked: Asked) -> Said:
        if asked.number > 1:
            await gate.wait()
        return Said(b"%d" % asked.number, ["cache-control: max-age=60, stale-while-revalidate=30"])

    async def main() -> None:
        async with cached(script, clock=clock) as (world, origin):
            await get(world.port, "/a")
            clock.ahead_s = 61.0
            stale = await asyncio.gather(*[get(world.port, "/a") for _ in range(5)])
            assert {(got.body, got.cache) for got in stale} == {(b"1", "HIT")}
            assert "ttl=-" in stale[0].said
            gate.set()
            while (await get(world.port, "/a")).body != b"2":
                await asyncio.sleep(0.01)
            assert origin.count == 2
            assert {event.cache for event in world.sink.events[1:6]} == {"stale"}
            clock.ahead_s += 100.0
            assert (await get(world.port, "/a")).body == b"3"  # beyond the window nobody is given it

    run(main)


@pytest.mark.parametrize("failure", [503, 500, 0])
def test_a_stale_answer_is_given_instead_of_an_error(failure: int) -> None:
    clock = Later()

    def script(asked: Asked) -> Said | None:
        if asked.number == 1:
            return Said(b"good", ["cache-control: max-age=60, stale-if-error=100", "connection: close"])
        return Said(b"bad", (), failure) if failure else None

    async def main() -> None:
        async with cached(script, clock=clock) as (world, origin):
            await get(world.port, "/a")
            clock.ahead_s = 61.0
            got = await get(world.port, "/a")
            assert (got.status, got.body) == (200, b"good")
            assert f"fwd=stale; fwd-status={failure or 502}; detail=stale-if-error" in got.said
            assert world.sink.events[1].cache == "stale"
            clock.ahead_s = 200.0
            assert (await get(world.port, "/a")).status == (failure or 502)
            assert origin.count == 3

    run(main)


def test_what_was_purged_meanwhile_is_not_given_instead_of_an_error() -> None:
    clock, gate = Later(), asyncio.Event()

    async def script(asked: Asked) -> Said:
        if asked.number == 1:
            return Said(b"secret", ["cache-control: max-age=60, stale-if-error=100"])
        await gate.wait()
        return Said(b"bad", (), 503)

    async def main() -> None:
        async with cached(script, clock=clock) as (world, origin):
            await get(world.port, "/a")
            clock.ahead_s = 61.0
            asking = asyncio.create_task(get(world.port, "/a"))
            while origin.count < 2:
                await asyncio.sleep(0.005)
            kept = world.gateway._kept
            assert kept is not None
            kept.store.purge("url", "/a")
            gate.set()
            assert ((await asking).status, (await asking).body) == (503, b"bad")

    run(main)


def test_a_stale_answer_is_given_while_the_circuit_is_open() -> None:
    clock = Later()

    async def main() -> None:
        def script(asked: Asked) -> Said | None:
            said = ["cache-control: max-age=60", "connection: close"]
            return Said(b"good", said) if asked.number == 1 else None

        settings = Cache(stale_if_error_s=3_600)
        async with cached(script, settings, clock=clock) as (world, origin):
            own = service(targets=[target(origin.port)], breaker=CircuitBreaker(failures=1))
            snapshot = msgspec.structs.replace(world.gateway._table.snapshot, services=(own,), version="1")
            await world.gateway.apply(snapshot)
            await get(world.port, "/a")
            clock.ahead_s = 61.0
            said = [await get(world.port, "/a") for _ in range(3)]
            assert [got.body for got in said] == [b"good"] * 3
            assert origin.count == 2
            assert "fwd-status=503" in said[2].said

    run(main)


@pytest.mark.parametrize("forbidden", ["must-revalidate", "proxy-revalidate"])
def test_who_forbids_it_gets_the_error_passed_on(forbidden: str) -> None:
    clock = Later()

    def script(asked: Asked) -> Said | None:
        return Said(b"good", [f"cache-control: max-age=60, {forbidden}"]) if asked.number == 1 else None

    async def main() -> None:
        settings = Cache(stale_if_error_s=3_600, stale_while_revalidate_s=3_600)
        async with cached(script, settings, clock=clock) as (world, _):
            await get(world.port, "/a")
            clock.ahead_s = 61.0
            assert (await get(world.port, "/a", ["cache-control: max-stale=600"])).status == 502

    run(main)


def test_what_must_be_asked_about_each_time_is() -> None:
    def script(asked: Asked) -> Said:
        return Said(b"body", ["cache-control: no-cache", 'etag: "a"'], 200 if asked.number == 1 else 304)

    async def main() -> None:
        async with cached(script) as (world, origin):
            assert [(await get(world.port, "/a")).body for _ in range(3)] == [b"body"] * 3
            assert origin.count == 3

    run(main)


@pytest.mark.parametrize("field", ["cache-control: no-store", "cache-control: private", "vary: *", "vary: x-other"])
def test_what_may_not_be_kept_any_more_is_given_once_and_dropped(field: str) -> None:
    clock = Later()

    def script(asked: Asked) -> Said:
        if "if-none-match" in asked.headers:
            return Said(b"", [field], 304)
        return Said(b"%d" % asked.number, ["cache-control: max-age=60", 'etag: "a"'])

    async def main() -> None:
        async with cached(script, clock=clock) as (world, origin):
            await get(world.port, "/a")
            clock.ahead_s = 61.0
            assert (await get(world.port, "/a")).body == b"1"
            assert (await get(world.port, "/a")).body == b"3"
            assert "if-none-match" not in origin.asked[2].headers

    run(main)


def test_a_cookie_that_comes_with_a_304_is_for_nobody_else() -> None:
    clock = Later()

    def script(asked: Asked) -> Said:
        if "if-none-match" in asked.headers:
            return Said(b"", ["cache-control: max-age=60", "set-cookie: who=me"], 304)
        return Said(b"body", ["cache-control: max-age=60", 'etag: "a"'])

    async def main() -> None:
        async with cached(script, clock=clock) as (world, origin):
            await get(world.port, "/a")
            clock.ahead_s = 61.0
            for _ in range(3):
                assert "set-cookie" not in (await get(world.port, "/a")).headers
            assert origin.count == 2

    run(main)
