"""Who asks for what is being fetched waits for it; nobody's leaving, slowness or bad luck is another's."""

import asyncio

import msgspec
import pytest
from tests.gateway.cache.origin import Asked, Got, Later, Said, cached, get, parsed
from tests.gateway.world import World, run

from foregate.gateway import layout
from foregate.wire.cache import Cache, CacheStorage

FRESH = ["cache-control: max-age=60"]


async def until(true: object) -> None:
    while not true():  # type: ignore[operator]
        await asyncio.sleep(0.005)


async def pieces(asked: Asked, parts: list[bytes], gates: list[asyncio.Event], *more: str) -> None:
    """A chunked answer, each part after its gate; the connection stays open."""
    head = ["HTTP/1.1 200 OK", "transfer-encoding: chunked", *FRESH, *more, "", ""]
    asked.writer.write("\r\n".join(head).encode())
    for part, gate in zip(parts, gates, strict=True):
        await gate.wait()
        asked.writer.write(b"%x\r\n%s\r\n" % (len(part), part))
        await asked.writer.drain()


def test_a_thousand_misses_at_once_are_one_question() -> None:
    gate = asyncio.Event()

    async def script(asked: Asked) -> Said:
        await gate.wait()
        return Said(b"x" * 5_000, FRESH)

    async def main() -> None:
        async with cached(script) as (world, origin):
            asking = [asyncio.create_task(get(world.port, "/a")) for _ in range(1_000)]
            await until(lambda: _collapsed(world) == 999)
            gate.set()
            got = await asyncio.gather(*asking)
            assert {each.body for each in got} == {b"x" * 5_000}
            assert origin.count == 1
            assert sum("; collapsed" in each.said for each in got) == 999
            assert sorted({event.attempts for event in world.sink.events}) == [0, 1]
            assert len(world.sink.events) == 1_000

    run(main)


def _collapsed(world: World) -> float:
    (block,) = world.blocks.claim([layout.route_block("/")])
    return block.total(layout.CACHE_COLLAPSED)


def test_who_joins_late_reads_from_the_beginning() -> None:
    gates = [asyncio.Event() for _ in range(3)]

    async def script(asked: Asked) -> bytes:
        await pieces(asked, [b"one", b"two", b"three"], gates)
        return b"0\r\n\r\n"

    async def main() -> None:
        async with cached(script) as (world, origin):
            gates[0].set()
            first = asyncio.create_task(get(world.port, "/a"))
            await until(lambda: origin.count)
            await asyncio.sleep(0.05)
            gates[1].set()
            second = asyncio.create_task(get(world.port, "/a"))
            await until(lambda: _collapsed(world) == 1)
            gates[2].set()
            assert (await first).body == (await second).body == b"onetwothree"
            assert origin.count == 1
            assert (await get(world.port, "/a")).cache == "HIT"

    run(main)


@pytest.mark.parametrize("when", ["before the head", "after the head"])
def test_the_first_clients_leaving_fails_nobody_else(when: str) -> None:
    gates = [asyncio.Event() for _ in range(2)]
    head = asyncio.Event()

    async def script(asked: Asked) -> bytes:
        await head.wait()
        await pieces(asked, [b"one", b"two"], gates)
        return b"0\r\n\r\n"

    async def main() -> None:
        async with cached(script) as (world, origin):
            if when == "after the head":
                head.set()
                gates[0].set()
            reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
            writer.write(b"GET /a HTTP/1.1\r\nhost: shop.example\r\n\r\n")
            if head.is_set():
                await reader.readuntil(b"one\r\n")
            await until(lambda: origin.count)
            other = asyncio.create_task(get(world.port, "/a"))
            await until(lambda: _collapsed(world) == 1)
            writer.close()
            await until(lambda: any(event.status == 499 for event in world.sink.events))
            assert world.event.cache == "miss"
            head.set()
            for gate in gates:
                gate.set()
            got = await other
            assert (got.body, got.whole) == (b"onetwo", True)
            assert (await get(world.port, "/a")).cache == "HIT"
            assert origin.count == 1

    run(main)


def test_what_nobody_waits_for_any_more_is_dropped_or_finished() -> None:
    gates = [asyncio.Event() for _ in range(2)]

    async def script(asked: Asked) -> bytes:
        if asked.target == "/early":
            await asyncio.sleep(30)
        await pieces(asked, [b"one", b"two"], gates)
        return b"0\r\n\r\n"

    async def main() -> None:
        async with cached(script) as (world, origin):
            gates[0].set()
            for path in ("/early", "/stored"):
                reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
                writer.write(b"GET %s HTTP/1.1\r\nhost: shop.example\r\n\r\n" % path.encode())
                if path == "/stored":
                    await reader.readuntil(b"one\r\n")
                else:
                    await until(lambda: origin.count)
                writer.close()
            await until(lambda: len(world.sink.events) == 2)
            await until(lambda: origin.asked[0].writer.transport.is_closing() or _eof(origin.asked[0]))
            gates[1].set()
            await asyncio.sleep(0.1)
            assert (await get(world.port, "/stored")).cache == "HIT"

    run(main)


def _eof(asked: Asked) -> bool:
    asked.writer.write(b"x")
    return asked.writer.transport.is_closing()


def test_an_answer_that_is_not_for_others_is_asked_for_by_each() -> None:
    gate = asyncio.Event()

    async def script(asked: Asked) -> Said:
        if asked.number == 1:
            await gate.wait()
        return Said(b"%d" % asked.number, ["cache-control: private"])

    async def main() -> None:
        async with cached(script) as (world, _):
            asking = [asyncio.create_task(get(world.port, "/a")) for _ in range(5)]
            await until(lambda: _collapsed(world) == 4)
            gate.set()
            assert len({(await each).body for each in asking}) == 5
            again = await asyncio.gather(*[get(world.port, "/a") for _ in range(5)])
            assert len({got.body for got in again}) == 5
            assert _collapsed(world) == 4  # nobody waits for what is known not to be shared

    run(main)


def test_a_variant_that_comes_is_not_given_to_who_asked_for_another() -> None:
    gate = asyncio.Event()

    async def script(asked: Asked) -> Said:
        await gate.wait()
        return Said(asked.headers["accept-language"].encode(), [*FRESH, "vary: accept-language"])

    async def main() -> None:
        async with cached(script) as (world, origin):
            wanted = ["de", "en", "de", "en", "de"]
            asking = [asyncio.create_task(get(world.port, "/a", [f"accept-language: {each}"])) for each in wanted]
            await until(lambda: _collapsed(world) == 4)
            gate.set()
            assert [(await each).body.decode() for each in asking] == wanted
            assert origin.count == 3  # one for who asked first, one for each of the other language

    run(main)


def test_a_failure_is_everybodys_who_waited() -> None:
    gate = asyncio.Event()

    async def script(asked: Asked) -> None:
        await gate.wait()

    async def main() -> None:
        async with cached(script) as (world, origin):
            asking = [asyncio.create_task(get(world.port, "/a")) for _ in range(20)]
            await until(lambda: _collapsed(world) == 19)
            gate.set()
            got = await asyncio.gather(*asking)
            assert {each.status for each in got} == {502}
            assert len({each.headers["x-request-id"] for each in got}) == 20
            assert origin.count == 1
            assert {event.error for event in world.sink.events} == {"upstream_closed"}

    run(main)


def test_nobody_waits_longer_than_the_bound() -> None:
    gate = asyncio.Event()

    async def script(asked: Asked) -> Said:
        if asked.number == 1:
            await gate.wait()
        return Said(b"%d" % asked.number, FRESH)

    async def main() -> None:
        async with cached(script, Cache(coalesce_wait_s=0.1, coalesce_max=3)) as (world, _):
            asking = [asyncio.create_task(get(world.port, "/a")) for _ in range(3)]
            await until(lambda: _collapsed(world) == 2)
            assert (await get(world.port, "/a")).body == b"2"  # there was no room to wait in
            got = await asyncio.gather(*asking[1:])
            assert {each.body for each in got} <= {b"2", b"3", b"4"}
            gate.set()
            assert (await asking[0]).body == b"1"

    run(main)


def test_each_asks_by_itself_where_the_route_wants_it_so() -> None:
    async def main() -> None:
        async def script(asked: Asked) -> Said:
            await asyncio.sleep(0.05)
            return Said(b"x", FRESH)

        async with cached(script, Cache(coalesce=False)) as (world, origin):
            await asyncio.gather(*[get(world.port, "/a") for _ in range(5)])
            assert origin.count == 5

    run(main)


def test_a_revalidation_is_one_question_too() -> None:
    clock = Later()
    gate = asyncio.Event()

    async def script(asked: Asked) -> Said:
        if asked.number == 1:
            return Said(b"body", [*FRESH, 'etag: "a"'])
        await gate.wait()
        return Said(b"", FRESH, 304)

    async def main() -> None:
        async with cached(script, clock=clock) as (world, origin):
            await get(world.port, "/a")
            clock.ahead_s = 61.0
            asking = [asyncio.create_task(get(world.port, "/a")) for _ in range(20)]
            await until(lambda: _collapsed(world) == 19)
            gate.set()
            assert {got.body for got in await asyncio.gather(*asking)} == {b"body"}
            assert origin.count == 2

    run(main)


def test_a_slow_reader_does_not_keep_the_others_waiting() -> None:
    size = 900_000

    async def script(asked: Asked) -> Said:
        await asyncio.sleep(0.1)
        return Said(b"x" * size, FRESH)

    async def main() -> None:
        async with cached(script, storage=CacheStorage()) as (world, origin):
            slow, writer = await asyncio.open_connection("127.0.0.1", world.port, limit=1)
            writer.write(b"GET /a HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n")
            await until(lambda: origin.count)
            assert len((await get(world.port, "/a")).body) == size
            got = parsed(await slow.read())
            assert (len(got.body), got.whole) == (size, True)
            writer.close()
            assert origin.count == 1

    run(main)


def test_what_is_too_large_to_store_streams_on_for_those_who_have_begun() -> None:
    gates = [asyncio.Event() for _ in range(40)]

    async def script(asked: Asked) -> bytes:
        await pieces(asked, [b"%02d" % n * 1_000 for n in range(40)], gates)
        return b"0\r\n\r\n"

    async def main() -> None:
        storage = CacheStorage(memory_bytes_max=1 << 20, object_bytes_max=8_192)
        async with cached(script, storage=storage) as (world, origin):
            gates[0].set()
            asking = [asyncio.create_task(get(world.port, "/a"))]
            await until(lambda: origin.count)
            await asyncio.sleep(0.05)
            asking.append(asyncio.create_task(get(world.port, "/a")))
            await until(lambda: _collapsed(world) == 1)
            for gate in gates:
                gate.set()
            got: list[Got] = await asyncio.gather(*asking)
            whole = b"".join(b"%02d" % n * 1_000 for n in range(40))
            assert [each.body == whole for each in got] == [True, True]
            assert origin.count == 1
            assert (await get(world.port, "/a")).cache == "MISS"

    run(main)


def test_a_configuration_that_changes_in_the_middle_loses_nothing() -> None:
    gates = [asyncio.Event() for _ in range(2)]

    async def script(asked: Asked) -> bytes:
        await pieces(asked, [b"one", b"two"], gates)
        return b"0\r\n\r\n"

    async def main() -> None:
        async with cached(script) as (world, origin):
            gates[0].set()
            asking = [asyncio.create_task(get(world.port, "/a")) for _ in range(3)]
            await until(lambda: _collapsed(world) == 2)
            snapshot = world.gateway._table.snapshot
            other = msgspec.structs.replace(snapshot.routes[0].policies, cache=Cache(default_ttl_s=5))
            routes = (msgspec.structs.replace(snapshot.routes[0], policies=other),)
            await world.gateway.apply(msgspec.structs.replace(snapshot, routes=routes, version="1"))
            gates[1].set()
            assert {got.body for got in await asyncio.gather(*asking)} == {b"onetwo"}
            assert (await get(world.port, "/a")).cache == "HIT"  # answers outlive reloads
            assert origin.count == 1

    run(main)


@pytest.mark.parametrize("means", ["write", "purge"])
@pytest.mark.parametrize("begun", [False, True])
def test_who_asks_after_a_write_or_a_purge_is_not_given_what_was_asked_before(means: str, begun: bool) -> None:
    gate, first = asyncio.Event(), asyncio.Event()
    first.set()

    async def script(asked: Asked) -> Said | bytes | None:
        if asked.method == "PUT":
            return Said(b"done")
        if asked.number > 1:
            return Said(b"new", FRESH)
        if begun:
            await pieces(asked, [b"o", b"ld"], [first, gate])
            return b"0\r\n\r\n"
        await gate.wait()
        return Said(b"old", FRESH)

    async def main() -> None:
        async with cached(script) as (world, origin):
            before = asyncio.create_task(get(world.port, "/a"))
            await until(lambda: origin.count == 1)
            if begun:
                await asyncio.sleep(0.05)
            if means == "write":
                assert (await get(world.port, "/a", method="PUT", body=b"x")).status == 200
            else:
                kept = world.gateway._kept
                assert kept is not None
                kept.store.purge("url", "/a")
            after = [await get(world.port, "/a") for _ in range(2)]
            gate.set()
            assert [(each.body, each.cache) for each in after] == [(b"new", "MISS"), (b"new", "HIT")]
            assert (await before).body == b"old"
            assert (await get(world.port, "/a")).body == b"new"

    run(main)
