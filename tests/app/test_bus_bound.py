"""The bus stays within its bound, and what that costs is said."""

import random
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import CapturingLogger

from foregate.adapters.embedded.archive.manifest import Manifest
from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.journeys import EmbeddedJourneys
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.app.bus_bound import EXPIRE_EVERY_S, LOOK_EVERY_S, BusBound
from foregate.app.bus_readers import BusReader, Lag, bus_readers, lags
from foregate.app.paths import DataDir
from foregate.app.runtime import Runtime
from foregate.kernel.clock import ManualClock
from foregate.kernel.limits import BUS_RETENTION_S
from foregate.ports.journeys import JourneyStep
from foregate.wire import TOPIC_ALERTS, TOPIC_ANOMALIES, TOPIC_EVENTS, TOPIC_RISKS

BOUND = 1_000_000
LARGE = random.Random(0).randbytes(20_000)  # cannot be packed


def readers(folder: Path) -> list[BusReader]:
    return bus_readers(DataDir(folder), Runtime("", 0, "", 1, 0.5))


class World:
    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.bus = EmbeddedBus(folder / "bus.sqlite", self.clock)
        self.log: Any = CapturingLogger()
        self.bound = BusBound(BOUND, readers(folder), self.clock, self.log)
        self._sequence = 0

    def publish(self, batches: int) -> None:
        for _ in range(batches):
            self._sequence += 1
            self.bus.append(TOPIC_EVENTS, 0, LARGE, 3, producer="p", sequence=self._sequence)

    def keep(self) -> None:
        self.clock.advance(LOOK_EVERY_S)
        self.bound.keep(self.bus)

    @property
    def oldest(self) -> int:
        return self.bus.read(TOPIC_EVENTS, 0, -1, 1)[0].offset


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_first_look_opens_no_store_which_may_be_busy_with_its_migration(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.publish(1)
    world.keep()
    assert not (tmp_path / "series.sqlite").exists()
    world.clock.advance(EXPIRE_EVERY_S)
    world.keep()
    assert (tmp_path / "series.sqlite").exists()


def test_a_bus_that_bounds_itself_is_not_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.publish(60)
    monkeypatch.setattr(EmbeddedBus, "bytes_used", 0)
    monkeypatch.delattr(EmbeddedBus, "read")
    monkeypatch.delattr(EmbeddedBus, "topics")
    world.clock.advance(EXPIRE_EVERY_S)
    world.keep()
    assert world.log.calls == []


def test_nothing_is_deleted_below_the_bound(world: World) -> None:
    world.publish(20)
    world.keep()
    assert world.oldest == 0
    assert world.log.calls == []


def test_beyond_the_bound_the_oldest_go_and_it_is_told_that_nobody_had_read_them(world: World) -> None:
    world.publish(100)
    world.keep()
    assert world.bus.bytes_used <= BOUND
    assert world.bound.lost_items == world.bound.deleted_items == 3 * world.oldest
    ((name, args, facts),) = world.log.calls
    assert (name, args, facts["unread"]) == ("error", ("bus_at_its_bound",), 3 * world.oldest)


def test_what_windows_archive_and_journeys_have_read_is_no_loss(world: World, tmp_path: Path) -> None:
    world.publish(100)
    series, archive = EmbeddedSeries(tmp_path / "series.sqlite"), Manifest(tmp_path / "archive")
    series.append([], {("events", 0): 99}, {})
    archive.add([], TOPIC_EVENTS, {0: 99}, "events", {})
    journeys = EmbeddedJourneys(tmp_path / "journeys.sqlite")
    journeys.write(JourneyStep(1, {(TOPIC_EVENTS, 0): 99}, needed={(TOPIC_EVENTS, 0): 99}))
    for store in (series, archive, journeys):
        store.close()
    world.keep()
    assert world.bus.bytes_used <= BOUND
    assert (world.bound.lost_items, world.log.calls[0].method_name) == (0, "info")
    assert world.bound.deleted_items == 3 * world.oldest


@pytest.mark.parametrize("topic", [TOPIC_RISKS, TOPIC_ANOMALIES, TOPIC_ALERTS, "of a later version"])
def test_topics_without_a_reader_go_before_any_event(world: World, topic: str) -> None:
    world.publish(10)
    for sequence in range(100):
        world.bus.append(topic, 0, LARGE, 1, producer="a", sequence=sequence)
    world.keep()
    assert world.bus.bytes_used <= BOUND
    assert world.oldest == 0
    assert (world.bound.lost_items, world.log.calls[0].method_name) == (0, "info")
    assert world.bound.deleted_items == world.bus.read(topic, 0, -1, 1)[0].offset


def test_once_they_are_gone_the_events_follow(world: World) -> None:
    world.publish(100)
    for sequence in range(100):
        world.bus.append(TOPIC_RISKS, sequence % 4, LARGE, 1, producer="a", sequence=sequence)
    world.keep()
    assert world.bus.bytes_used <= BOUND
    assert world.bound.lost_items == 3 * world.oldest > 0
    assert world.bound.deleted_items == 100 + world.bound.lost_items


def test_the_offsets_of_another_bus_say_nothing(world: World, tmp_path: Path) -> None:
    world.publish(100)
    series = EmbeddedSeries(tmp_path / "series.sqlite")
    series.append([], {("events", 0): 5_000}, {})
    series.close()
    world.keep()
    assert world.bound.lost_items == 3 * world.oldest > 0


def test_a_store_that_cannot_be_asked_does_not_lift_the_bound(world: World, tmp_path: Path) -> None:
    (tmp_path / "series.sqlite").write_bytes(b"no database at all, but long enough to be looked at" * 40)
    world.publish(100)
    world.keep()
    assert world.bus.bytes_used <= BOUND
    assert world.log.calls[0].args == ("offsets_not_read",)


def stored_to(offsets: dict[str, dict[int, int]], name: str = "store") -> BusReader:
    return BusReader(name, tuple(offsets), lambda topic: offsets[topic])


def test_a_batch_goes_first_only_when_all_its_readers_have_read_it(world: World) -> None:
    readers = [stored_to({TOPIC_EVENTS: {0: 99}}, "fast"), stored_to({TOPIC_EVENTS: {0: 9}}, "slow")]
    world.bound = BusBound(BOUND, readers, world.clock, world.log)
    world.publish(100)
    world.keep()
    assert world.bus.bytes_used <= BOUND
    assert world.bound.lost_items == world.bus.lost(TOPIC_EVENTS) == 3 * (world.oldest - 10) > 0


def test_what_was_read_of_one_topic_goes_before_what_was_not_of_another(world: World) -> None:
    world.bound = BusBound(BOUND, [stored_to({"spans": {}, TOPIC_EVENTS: {0: 99}})], world.clock, world.log)
    for sequence in range(20):
        world.bus.append("spans", 0, LARGE, 3, producer="s", sequence=sequence)
    world.publish(100)
    world.keep()
    assert world.bus.bytes_used <= BOUND
    assert (world.bound.lost_items, world.bus.lost("spans")) == (0, 0)
    assert world.oldest > 50


def test_what_is_old_goes_once_all_have_read_it(world: World) -> None:
    read = {TOPIC_EVENTS: {0: 4}}
    world.bound = BusBound(BOUND, [stored_to(read)], world.clock, world.log)
    world.publish(5)
    world.clock.advance(1.0)
    world.publish(5)
    world.bus.append("risks", 0, b"x", 1, producer="a", sequence=1)
    world.clock.advance(BUS_RETENTION_S + EXPIRE_EVERY_S)
    world.keep()
    assert world.oldest == 5
    assert world.bus.read("risks", 0, -1, 1) == []
    read[TOPIC_EVENTS] = {0: 9}
    world.clock.advance(EXPIRE_EVERY_S)
    world.keep()
    assert world.bus.read(TOPIC_EVENTS, 0, -1, 1) == []


def test_the_lag_is_told_by_reader_and_topic(world: World, tmp_path: Path) -> None:
    world.publish(10)

    def gone(topic: str) -> dict[int, int]:
        raise OSError("no store")

    found = lags(
        world.bus, [*readers(tmp_path)[:1], stored_to({TOPIC_EVENTS: {0: 6}}), BusReader("b", ("spans",), gone)]
    )
    assert found == [
        Lag("windows", "events", 10, 30),
        Lag("windows", "history", 0, 0),
        Lag("store", "events", 3, 9),
        Lag("b", "spans", None, None),
    ]
