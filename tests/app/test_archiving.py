"""The way from the bus into the archive, and out of it when it is old."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import CapturingLogger
from tests.ports.archive_world import ALL_S, DAY_S, point, span
from tests.telemetry.making import T0, event, payload

from foregate.adapters.embedded.archive.reader import EmbeddedArchiveReader
from foregate.adapters.embedded.archive.writer import GRACE_S, EmbeddedArchive
from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.app import archiving
from foregate.app.archiving import Archiving
from foregate.app.disk import Disk
from foregate.app.expiry import EXPIRE_EVERY_S
from foregate.app.upkeep import ArchiveBounds, Upkeep
from foregate.kernel.clock import ManualClock
from foregate.telemetry import follow
from foregate.wire import TOPIC_EVENTS, TOPIC_HISTORY, TOPIC_POINTS, TOPIC_SPANS
from foregate.wire.point import encode_points
from foregate.wire.span import encode_spans

FLUSH_S = 2.0


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock(T0)
        self.bus = EmbeddedBus(folder / "bus.sqlite", self.clock)
        self.archive = EmbeddedArchive(folder / "archive", self.clock)
        self.reader = EmbeddedArchiveReader(folder / "archive")
        self.log: Any = CapturingLogger()
        self.archiving = self.new_archiving()
        self._sequence = 0

    def new_archiving(self) -> Archiving:
        return Archiving(lambda: EmbeddedBus(self.folder / "bus.sqlite", self.clock), self.archive, FLUSH_S, self.clock)

    def upkeep(self, bounds: ArchiveBounds) -> Upkeep:
        return Upkeep(self.archive, bounds, Disk(self.folder, self.clock), self.clock, self.log)

    def publish(self, topic: str, body: bytes, items: int = 1, partition: int = 0) -> None:
        self._sequence += 1
        self.bus.append(topic, partition, body, items, producer="p", sequence=self._sequence)

    def stored(self) -> int:
        return self.reader.items("events")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_each_topic_comes_to_its_kind_history_to_the_events(world: World) -> None:
    world.publish(TOPIC_EVENTS, payload([event()]))
    world.publish(TOPIC_HISTORY, payload([event(time_s=T0 - 30 * DAY_S)]), partition=2)
    world.publish(TOPIC_SPANS, encode_spans([span()]))
    world.publish(TOPIC_POINTS, encode_points([point()]))
    assert world.archiving.step() == 4
    world.archiving.close()
    assert [world.reader.items(kind) for kind in ("events", "spans", "points")] == [2, 1, 1]
    assert world.archive.offsets(TOPIC_HISTORY)[2] == 0


def test_items_are_collected_for_the_flush_interval_and_not_longer(world: World) -> None:
    found = []
    for _ in range(6):
        world.publish(TOPIC_EVENTS, payload([event()]))
        world.archiving.step()
        found.append(world.stored())
        world.clock.advance(FLUSH_S / 2)
    assert found == [1, 1, 1, 4, 4, 4]  # what comes first is stored at once
    world.clock.advance(FLUSH_S)
    assert world.archiving.step() == 0
    assert world.stored() == 6


def test_many_items_are_stored_before_the_interval_is_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archiving, "BUFFER_ITEMS_MAX", 100)
    world.publish(TOPIC_EVENTS, payload([event()]))
    world.archiving.step()
    world.publish(TOPIC_EVENTS, payload([event() for _ in range(100)]), 100)
    world.archiving.step()
    assert world.stored() == 101


def test_what_was_collected_and_not_stored_is_read_again_by_the_next_one(world: World) -> None:
    world.publish(TOPIC_EVENTS, payload([event()]))
    world.archiving.step()
    world.publish(TOPIC_EVENTS, payload([event(), event()]), 2)
    world.archiving.step()  # and dies with two items in its hands
    after = world.new_archiving()
    assert after.step() == 2
    after.close()
    assert world.stored() == 3
    assert world.reader.counts("events")["accepted"] == 3


@pytest.mark.parametrize("buffer_items_max", [1, archiving.BUFFER_ITEMS_MAX])
def test_what_cannot_be_stored_is_read_again_and_nothing_is_there_twice(
    world: World, monkeypatch: pytest.MonkeyPatch, buffer_items_max: int
) -> None:
    monkeypatch.setattr(archiving, "BUFFER_ITEMS_MAX", buffer_items_max)
    append = world.archive.append
    failing: Callable[..., None] = lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full"))  # noqa: E731
    monkeypatch.setattr(world.archive, "append", failing)
    for _ in range(3):
        world.publish(TOPIC_EVENTS, payload([event()]))
        with pytest.raises(OSError, match="full"):
            world.archiving.step()
    monkeypatch.setattr(world.archive, "append", append)
    world.archiving.step()
    world.archiving.close()
    assert world.stored() == 3


def test_what_cannot_be_read_or_has_no_possible_time_is_counted_invalid(world: World) -> None:
    world.publish(TOPIC_EVENTS, b"junk", 5)
    impossible = [event(time_s=float("nan")), event(time_s=-1.0), event(time_s=1e300), event(response_bytes=1 << 63)]
    world.publish(TOPIC_EVENTS, payload(impossible), 4)
    world.publish(TOPIC_SPANS, encode_spans([span(), span(start_ns=1 << 63)]), 2)
    world.archiving.step()
    world.archiving.close()
    assert world.reader.counts("events") == {"accepted": 1, "invalid": 8}
    assert world.reader.counts("spans") == {"accepted": 1, "invalid": 1}
    (row,) = world.reader.scan("events", "default", *ALL_S).rows
    assert row["response_bytes"] == (1 << 63) - 1


def test_batches_that_were_deleted_unread_are_counted(world: World) -> None:
    world.publish(TOPIC_EVENTS, payload([event()]))
    world.archiving.step()
    world.publish(TOPIC_EVENTS, payload([event()]))
    world.clock.advance(10.0)
    world.bus.expire(TOPIC_EVENTS, world.clock.now())
    world.publish(TOPIC_EVENTS, payload([event()]))
    world.archiving.step()
    world.archiving.close()
    assert world.reader.counts("events")["lost_batches"] == 1


def files_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*.parquet"))


def test_retention_of_each_organisation_frees_its_disk(world: World) -> None:
    events = [
        event(org=org, time_s=T0 - at * DAY_S / 40, request_id=f"{at}") for at in range(400) for org in ("a", "b")
    ]
    world.archive.append("events", events, TOPIC_EVENTS, {}, {})
    upkeep = world.upkeep(ArchiveBounds(days=4, of={"b": 8}))
    before = files_of(world.folder)
    upkeep.step()
    assert world.stored() == 800  # the clock has a while to become right
    world.clock.advance(EXPIRE_EVERY_S)
    upkeep.step()
    world.clock.advance(GRACE_S + 60.0)
    upkeep.step()
    found = {org: world.reader.scan("events", org, *ALL_S, limit=999).rows for org in "ab"}
    ages = {org: [T0 - row["time_s"] for row in rows] for org, rows in found.items()}
    assert 4 * DAY_S <= max(ages["a"]) <= 4.25 * DAY_S
    assert 8 * DAY_S <= max(ages["b"]) <= 8.25 * DAY_S
    assert files_of(world.folder) < 0.75 * before
    assert files_of(world.folder) == world.reader.bytes_used


def test_nothing_expires_while_the_clock_may_be_wrong(world: World) -> None:
    world.archive.append("events", [event()], TOPIC_EVENTS, {}, {})
    upkeep = world.upkeep(ArchiveBounds(days=30))
    world.clock.advance(EXPIRE_EVERY_S)
    world.clock.jump_to(T0 + 400 * DAY_S)
    upkeep.step()
    world.clock.advance(EXPIRE_EVERY_S)
    upkeep.step()
    assert world.stored() == 1
    assert [call.args[0] for call in world.log.calls] == ["clock_was_set_on"]
    world.clock.advance(DAY_S)
    upkeep.step()
    assert world.stored() == 0


def test_the_archive_stays_within_its_bound_and_says_what_that_costs(world: World) -> None:
    for day in range(8):
        items = [event(time_s=T0 + day * DAY_S + at, request_id=f"{day}{at}") for at in range(500)]
        world.archive.append("events", items, TOPIC_EVENTS, {}, {})
    bound = world.reader.bytes_used // 2
    world.upkeep(ArchiveBounds(days=30, bytes_max=bound)).step()
    assert world.reader.bytes_used <= bound
    (call,) = world.log.calls
    assert call.args[0] == "archive_at_its_bound"
    assert world.stored() == 4_000 - call.kwargs["deleted"]
    assert world.reader.counts("events")["trimmed"] == call.kwargs["deleted"]


def test_large_batches_are_read_in_bounded_steps_and_stored_before_they_fill_memory(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "_STEP_BYTES", 20_000)
    monkeypatch.setattr(archiving, "BUFFER_BYTES_MAX", 50_000)
    for number in range(24):
        world.publish(TOPIC_EVENTS, payload([event(path=f"/{number}" + "x" * 5_000)]), partition=number % 4)
    read = []
    while items := world.archiving.step():
        read.append((items, world.stored()))
    assert [items for items, _ in read] == [4] * 6  # the partitions take turns
    assert max(sum(items for items, _ in read[: at + 1]) - stored for at, (_, stored) in enumerate(read)) < 12
    world.archiving.close()
    assert world.stored() == 24
