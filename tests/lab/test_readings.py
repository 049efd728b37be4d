"""What processes say of themselves follows from the mechanisms, and a minute of it from what they said."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from foregate.lab import Scenario
from foregate.lab.model.readings import MEGABYTE, Reading, Used, left_of, readings
from foregate.lab.model.service import Service
from foregate.lab.model.world import World
from foregate.lab.virtual import virtual_loop


def service(name: str = "payments") -> Service:
    return World(Scenario(1)).services[name]


def said(memory: int, connections: int = 0, workers: int = 0, instance: str = "x-0") -> Reading:
    return Reading(instance, Used(memory, 100), Used(connections, 10), Used(workers, 4))


def in_virtual_time(story: Coroutine[Any, Any, None]) -> None:
    loop = virtual_loop()
    try:
        loop.run_until_complete(story)
    finally:
        loop.close()


def test_memory_shows_garbage_and_what_leaked_as_a_process_does():
    payments = service()
    heap = payments.instances[0].heap
    assert readings(payments)[0].memory == Used(round(heap.base_mb * MEGABYTE), round(heap.limit_mb * MEGABYTE))
    heap.allocate(0.0, 20.0)
    used = heap.base_mb + heap.request_mb + 20.0
    assert readings(payments)[0].memory.used == pytest.approx(used * MEGABYTE, abs=1)


def test_connections_and_workers_are_those_that_are_taken_and_what_leaks_stays_taken():
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


def test_a_process_that_is_down_says_nothing_and_one_with_an_expired_certificate_does():
    async def story() -> None:
        ai = service("ai")
        ai.instances[0].crash(10.0)
        ai.instances[1].distrust()
        assert [each.instance for each in readings(ai)] == ["ai-1"]
        await asyncio.sleep(11.0)
        assert [each.instance for each in readings(ai)] == ["ai-0", "ai-1"]

    in_virtual_time(story())


def test_of_memory_the_last_reading_counts_and_of_pools_the_mean():
    left = left_of([[said(90, 10, 4)], [said(20, 5, 2)], [said(30, 0, 0)]])
    assert left == pytest.approx({"memory_left": 0.7, "connections_left": 0.5, "workers_left": 0.5})


def test_the_process_with_least_left_is_told_column_by_column():
    samples = [
        [said(10, workers=4, instance="x-0"), said(60, workers=0, instance="x-1")],
        [said(90, workers=2, instance="x-0")],  # the other one died: its last word stands
    ]
    assert left_of(samples) == pytest.approx({"memory_left": 0.1, "connections_left": 1.0, "workers_left": 0.25})
    assert left_of([samples[0]])["memory_left"] == pytest.approx(0.4)


def test_where_nobody_said_anything_nothing_is_known():
    assert left_of([[], []]) == {}
