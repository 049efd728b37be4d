"""What the lab's services say of themselves, read as the metrics of real ones: sent, or handed on headless."""

from pathlib import Path

import pytest
from tests.telemetry.ingest.world import CLOCK, SECRET, key, run, world

from foregate.app.signals.resources import Resources
from foregate.http1 import Client
from foregate.lab import Scenario
from foregate.lab.live.exporter import Exporter
from foregate.lab.metrics import points
from foregate.lab.model.service import Service
from foregate.lab.model.world import World
from foregate.wire import TOPIC_POINTS
from foregate.wire.point import decode_points

ORG, ENVIRONMENT, NAME = "acme", "demo", "ai-w07"
START_S = 1_700_000_040.0


def busy_service() -> Service:
    """Two processes, one with a full heap, the other with all but one of its workers taken; connections half taken."""
    ai = World(Scenario(1)).services["ai"]
    full, busy = ai.instances
    full.heap.live_mb, full.heap.garbage_mb = 0.9 * full.heap.limit_mb, 0.05 * full.heap.limit_mb
    busy.workers.taken = busy.seats - 1
    ai.database.pool.taken = ai.database.pool.size // 2
    return ai


def left(resources: Resources, start_s: float) -> dict[str, float]:
    return dict(resources.left(start_s)[ORG, ENVIRONMENT, NAME])


def say(resources: Resources, service: Service, at_s: float) -> None:
    now_s = START_S + at_s
    resources.learn(points(service, NAME, now_s, org=ORG, environment=ENVIRONMENT), now_s)


def test_the_process_with_least_left_is_told_and_a_live_lab_says_the_same_as_a_headless_one(tmp_path: Path) -> None:
    async def story() -> None:
        ai = busy_service()
        headless, live = Resources(), Resources()
        say(headless, ai, 10.0)
        async with world(tmp_path, key(org=ORG, environment=ENVIRONMENT)) as intake:
            client = Client(CLOCK)
            url = f"http://127.0.0.1:{intake.port}"
            now_s = CLOCK.now()
            await Exporter(client, url, SECRET, [ai], lambda name: NAME, lambda: now_s, lambda *_: None).send()
            await client.close()
            live.learn(intake.stored(TOPIC_POINTS, decode_points), CLOCK.now())
        size, seats = ai.database.pool.size, ai.instances[1].seats
        expected = {"memory_left": 0.05, "connections_left": 1 - (size // 2) / size, "workers_left": 1 / seats}
        assert left(headless, START_S) == pytest.approx(expected)
        assert left(live, now_s // 60 * 60) == pytest.approx(expected)

    run(story)


def test_of_memory_the_minutes_last_reading_counts_and_of_connections_and_workers_the_mean() -> None:
    ai, resources = busy_service(), Resources()
    say(resources, ai, 10.0)
    ai.instances[0].heap.reset()
    ai.instances[1].workers.taken = ai.database.pool.taken = 0
    say(resources, ai, 20.0)
    size, seats, heap = ai.database.pool.size, ai.instances[1].seats, ai.instances[0].heap
    expected = {
        "memory_left": 1 - heap.base_mb / heap.limit_mb,
        "connections_left": 1 - (size // 2) / size / 2,
        "workers_left": 1 - (seats - 1) / seats / 2,
    }
    assert left(resources, START_S) == pytest.approx(expected)
