"""What processes say of themselves follows from the mechanisms."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from foregate.lab import Scenario
from foregate.lab.model.readings import MEGABYTE, Used, readings
from foregate.lab.model.service import Service
from foregate.lab.model.world import World
from foregate.lab.virtual import virtual_loop


def service(name: str = "payments") -> Service:
    return World(Scenario(1)).services[name]


def in_virtual_time(story: Coroutine[Any, Any, None]) -> None:
    loop = virtual_loop()
    try:
        loop.run_until_complete(story)
    finally:
        loop.close()


def test_memory_shows_garbage_and_what_leaked_as_a_process_does() -> None:
    payments = service()
    heap = payments.instances[0].heap
    assert readings(payments)[0].memory == Used(round(heap.base_mb * MEGABYTE), round(heap.limit_mb * MEGABYTE))
    heap.allocate(0.0, 20.0)
    used = heap.base_mb + heap.request_mb + 20.0
    assert readings(payments)[0].memory.used == pytest.approx(used * MEGABYTE, abs=1)


def test_connections_and_workers_are_those_that_are_taken_and_what_leaks_stays_taken() -> None:
    async def story() -> None:
        payments = service()
        await payments.database.open()
        await payments.database.open()
        await payments.instances[0].workers.take()
        payments.database.leak_chance.set("fault", 1.0)
        payments.database.close()
        (seen,) = readings(payments)
        assert seen.connections == Used(2, payments.database.pool.size)
        assert seen.workers == Used(1, payments.instances[0].seats)

    in_virtual_time(story())


def test_a_process_that_is_down_says_nothing_and_one_with_an_expired_certificate_does() -> None:
    async def story() -> None:
        ai = service("ai")
        ai.instances[0].crash(10.0)
        ai.instances[1].distrust()
        assert [each.instance for each in readings(ai)] == ["ai-1"]
        await asyncio.sleep(11.0)
        assert [each.instance for each in readings(ai)] == ["ai-0", "ai-1"]

    in_virtual_time(story())
