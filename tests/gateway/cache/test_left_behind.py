"""Whatever clients and services do, nothing is left under way, and nothing of it is held."""

import asyncio
import contextlib
import random

import pytest
from tests.gateway.cache.origin import Asked, Said, cached
from tests.gateway.world import World, run

from foregate.gateway.cache.flow import Flow
from foregate.wire.cache import Cache, CacheStorage

SMALL = CacheStorage(memory_bytes_max=1 << 20, object_bytes_max=60_000)
CONTROLS = ["max-age=1", "max-age=60", "no-store", "private", "no-cache", "max-age=0, stale-while-revalidate=5"]


def flow_of(world: World) -> Flow:
    found = [
        value
        for policy in world.gateway._table.policies.values()
        if policy.name == "cache"
        for value in vars(policy).values()
        if isinstance(value, Flow)
    ]
    return found[0]


async def ask(port: int, chance: random.Random) -> None:
    """One client: it may read slowly, or leave at any moment."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=8_000)
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
        for _ in range(chance.randrange(1, 4)):
            fields = chance.sample(
                ["cache-control: no-cache", "range: bytes=3-9", 'if-none-match: "a"', "x-v: 1", "cookie: a=1"], 2
            )
            method = chance.choice(["GET"] * 8 + ["HEAD", "DELETE"])
            head = "\r\n".join([f"{method} /{chance.randrange(12)} HTTP/1.1", "host: h", *fields, "", ""])
            writer.write(head.encode())
            if chance.random() < 0.2:
                await asyncio.sleep(chance.random() * 0.02)
                break
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 2.0)
            if chance.random() < 0.3:
                break
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(chance.choice([10, 100_000])), 0.05)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_left_behind(seed: int) -> None:
    chance = random.Random(seed)

    async def script(asked: Asked) -> Said | bytes | None:
        what = chance.random()
        await asyncio.sleep(chance.random() * 0.02)
        fields = [f"cache-control: {chance.choice(CONTROLS)}", *chance.sample(['etag: "a"', "vary: x-v"], 1)]
        if what < 0.05:
            return None
        if what < 0.15:  # breaks off
            asked.writer.write(b"HTTP/1.1 200 OK\r\ncache-control: max-age=60\r\ncontent-length: 99\r\n\r\nhalf")
            await asked.writer.drain()
            return None
        if "if-none-match" in asked.headers and what < 0.5:
            return Said(b"", fields, 304)
        if what < 0.6:
            return Said(b"x", (), chance.choice([404, 500, 503]))
        return Said(b"x" * chance.choice([0, 10, 5_000, 200_000]), fields)

    async def main() -> None:
        settings = Cache(
            share="public", coalesce_wait_s=0.05, coalesce_max=5, stale_if_error_s=5, not_found_filter=True
        )
        async with cached(script, settings, SMALL) as (world, _):
            for _ in range(10):
                await asyncio.gather(*[ask(world.port, chance) for _ in range(20)])
            flow, bodies = flow_of(world), world.gateway._admission.bodies
            for _ in range(500):
                if not flow._filling and not bodies.held:
                    break
                await asyncio.sleep(0.01)
            assert flow._filling == {}
            assert bodies.held == 0
            service = world.gateway._table.services["svc"]
            assert service.inflight == 0
            assert [what for what, _ in world.log if what.endswith("failed")] == []

    run(main)
