"""The services' metrics, sent as OTLP to a real intake of telemetry."""

import asyncio
from pathlib import Path

import pytest
from tests.telemetry.ingest.world import SECRET, key, run, world
from tests.telemetry.ingest.world import World as Intake

from foregate.http1 import Client
from foregate.kernel.clock import ManualClock, SystemClock
from foregate.lab import LabConfig, Scenario
from foregate.lab.live.exporter import Exporter
from foregate.lab.live.run import Lab
from foregate.lab.model.readings import MEGABYTE
from foregate.lab.model.service import Service
from foregate.lab.model.world import World
from foregate.wire import TOPIC_POINTS
from foregate.wire.point import Point, decode_points

CLOCK = SystemClock()
Errors = list[tuple[str, BaseException]]


class Sender:
    """Some services of a world, and who sends for them."""

    def __init__(self, port: int, *services: Service, secret: str = SECRET) -> None:
        self.errors: Errors = []
        self.client = Client(CLOCK)
        self.exporter = Exporter(
            self.client, f"http://127.0.0.1:{port}/", secret, services, lambda name: f"{name}-w07", CLOCK.now,
            lambda *error: self.errors.append(error),
        )  # fmt: skip


def points(intake: Intake) -> dict[tuple[str, str, str], Point]:
    """What arrived, by service, process and metric; of connections the used ones."""
    return {
        (point.service, point.instance, point.name): point
        for point in intake.stored(TOPIC_POINTS, decode_points)
        if point.attributes.get("db.client.connection.state") != "idle"
    }


def test_metrics_arrive_under_the_names_of_the_conventions_and_of_the_gateways_service(tmp_path: Path) -> None:
    async def story() -> None:
        services = World(Scenario(1)).services
        ai = services["ai"]
        heap = ai.instances[1].heap
        heap.allocate(0.0, 300.0)
        await ai.database.open()
        await ai.instances[1].workers.take()
        async with world(tmp_path, key(environment="demo")) as intake:
            sender = Sender(intake.port, ai, services["users"])
            await sender.exporter.send()
            await sender.client.close()
            found = points(intake)
        assert sender.errors == []
        names = {name for _, _, name in found}
        assert {(where, who) for where, who, _ in found} == {
            ("ai-w07", "ai-0"), ("ai-w07", "ai-1"), ("users-w07", "users-0")
        }  # fmt: skip
        seen = {name: found["ai-w07", "ai-1", name] for name in names}
        assert {(each.org, each.environment) for each in found.values()} == {("acme", "demo")}
        assert seen["jvm.memory.used"].value == pytest.approx((heap.live_mb + heap.garbage_mb) * MEGABYTE, abs=1)
        assert seen["jvm.memory.limit"].value == heap.limit_mb * MEGABYTE
        assert seen["jvm.memory.used"].attributes["jvm.memory.type"] == "heap"
        assert seen["db.client.connection.count"].value == 1
        assert seen["db.client.connection.max"].value == ai.database.pool.size
        assert seen["db.client.connection.count"].attributes == {
            "db.client.connection.pool.name": "model runtime", "db.client.connection.state": "used",
        }  # fmt: skip
        assert seen["service.workers.utilization"].value == pytest.approx(1 / ai.instances[1].seats)
        assert {(each.kind, each.monotonic, each.delta) for each in seen.values()} == {
            ("sum", False, False), ("gauge", False, False)
        }  # fmt: skip
        assert all(abs(each.time_s - CLOCK.now()) < 60 for each in found.values())

    run(story)


def test_a_post_that_fails_is_said_once_until_one_did_not(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as intake:
            sender = Sender(intake.port, World(Scenario(1)).services["users"])
            failure = OSError("the disk is gone")
            for intake.bus.failure in (failure, failure, None, failure, failure):
                await sender.exporter.send()
            await sender.client.close()
        assert ["answered 503" in str(error) for _, error in sender.errors] == [True, True]

    run(story)


def test_an_intake_that_refuses_the_key_or_is_not_there_is_said(tmp_path: Path) -> None:
    async def story() -> None:
        users = World(Scenario(1)).services["users"]
        async with world(tmp_path) as intake:
            stranger = Sender(intake.port, users, secret="fg_test_of_somebody_else")
            await stranger.exporter.send()
            await stranger.client.close()
        alone = Sender(intake.port, users)
        await alone.exporter.send()
        await alone.client.close()
        assert ["answered 401" in str(error) for _, error in stranger.errors] == [True]
        assert [name for name, _ in alone.errors] == ["lab metrics"]

    run(story)


def test_what_the_intake_leaves_out_is_said(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(tmp_path) as intake:
            sender = Sender(intake.port, World(Scenario(1)).services["users"])
            sender.exporter._now = ManualClock(CLOCK.now() + 86_400.0).now
            await sender.exporter.send()
            await sender.client.close()
        assert ["rejectedDataPoints" in str(error) for _, error in sender.errors] == [True]

    run(story)


def test_a_live_lab_sends_for_all_its_services_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foregate.lab.live.run.EVERY_S", 0.05)
    monkeypatch.setattr("foregate.lab.live.exporter.EVERY_S", 0.05)

    async def story() -> None:
        errors: Errors = []
        async with world(tmp_path) as intake:
            config = LabConfig(
                scenario=Scenario(8), ports={}, telemetry_url=f"http://127.0.0.1:{intake.port}", telemetry_key=SECRET
            )
            lab = Lab(config, CLOCK, lambda *error: errors.append(error))
            try:
                await lab.start()
                lab.begin()
                while len(intake.batches(TOPIC_POINTS)) < 3:
                    await asyncio.sleep(0.02)
            finally:
                await lab.close()
            found = points(intake)
        assert errors == []
        assert {(service, process) for service, process, _ in found} == {
            ("payments", "payments-0"), ("search", "search-0"), ("users", "users-0"), ("orders", "orders-0"),
            ("ai", "ai-0"), ("ai", "ai-1"),
        }  # fmt: skip

    run(story)
