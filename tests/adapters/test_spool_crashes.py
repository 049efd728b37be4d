"""Spool and courier at every crash point: what was acknowledged reaches the bus exactly once."""

import shutil
import tempfile
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.telemetry.making import event

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.courier import Courier, recover
from foregate.adapters.embedded.segment import HEADER_BYTES
from foregate.adapters.embedded.spool import Spool
from foregate.kernel.clock import ManualClock
from foregate.kernel.limits import SPOOL_SEGMENT_BYTES
from foregate.wire import TOPIC_EVENTS
from foregate.wire.event import decode_events

BATCH_ITEMS_MAX = 7
Trouble = Literal["none", "crash before", "crash after", "error before", "error after"]
SMALL = {"segment_bytes": 1, "segments_max": 3}  # 1 is raised to the smallest that will do


class Crash(BaseException):
    """The process is gone."""


class TroubledBus(EmbeddedBus):
    """A real bus that, once, crashes its caller or fails, just before or just after it stored a batch."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, ManualClock(), partitions=2)
        self.trouble: Trouble = "none"
        self.spared = 0  # appends that go well before the trouble

    def append(self, topic: str, partition: int, payload: bytes, items: int, *, producer: str, sequence: int) -> bool:
        due = self.trouble if self.spared == 0 else "none"
        self.spared -= 1
        if due != "none":
            self.trouble = "none"
        if due == "crash before":
            raise Crash
        if due == "error before":
            raise OSError("disk full")
        stored = super().append(topic, partition, payload, items, producer=producer, sequence=sequence)
        if due == "crash after":
            raise Crash
        if due == "error after":
            raise OSError("the answer was lost")
        return stored


def ids_on(bus: EmbeddedBus) -> list[str]:
    return [
        one.request_id
        for partition in range(bus.partitions)
        for batch in bus.read(TOPIC_EVENTS, partition, -1, 10_000)
        for one in decode_events(batch.payload)
    ]


class World:
    """A worker and a courier that may die and be succeeded.

    The folder is copied at a death, as the page cache would keep it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.life = 0
        self.acknowledged: list[str] = []
        self.shed = 0
        self.bus = TroubledBus(root / "bus.sqlite")
        self.live()

    def live(self) -> None:
        self.spool = Spool(self.folder, **SMALL)
        self.courier = Courier(self.folder.parent, batch_items_max=BATCH_ITEMS_MAX)

    @property
    def folder(self) -> Path:
        return self.root / f"life{self.life}" / "w1"

    def put(self, count: int) -> None:
        for _ in range(count):
            name = f"e{len(self.acknowledged) + self.shed}"
            if self.spool.put(event(request_id=name)):
                self.acknowledged.append(name)
            else:
                self.shed += 1

    def flush(self, trouble: Trouble, spared: int) -> None:
        self.bus.trouble, self.bus.spared = trouble, spared
        try:
            self.courier.move(self.bus)
        except Crash:
            self.courier_dies()
        except OSError:
            assert "error" in trouble
        self.bus.trouble = "none"

    def die(self) -> None:
        dead = self.folder
        self.life += 1
        shutil.copytree(dead, self.folder)
        self.spool.close()
        self.courier.close()
        self.live()

    def courier_dies(self) -> None:
        self.courier.close()
        self.courier = Courier(self.folder.parent, batch_items_max=BATCH_ITEMS_MAX)

    def close(self) -> None:
        self.spool.close()
        self.courier.close()
        self.bus.close()


troubles = st.sampled_from(["none", "crash before", "crash after", "error before", "error after"])
moves = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 100)),
    st.tuples(st.just("flush"), troubles, st.integers(0, 4)),
    st.tuples(st.just("die")),
    st.tuples(st.just("courier_dies")),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(moves, max_size=14))
def test_acknowledged_events_reach_the_bus_exactly_once_at_any_crash_point(script: list[tuple]) -> None:
    with tempfile.TemporaryDirectory() as root:
        world = World(Path(root))
        try:
            for move, *arguments in script:
                getattr(world, move)(*arguments)
            world.spool.close()
            world.courier.move(world.bus)
            assert sorted(ids_on(world.bus)) == sorted(world.acknowledged)
            assert list(world.folder.glob("*.seg")) == []
        finally:
            world.close()


def test_the_bound_sheds_the_newest_and_counts_them(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put(1_000)
    assert 0 < world.shed == world.spool.shed < 1_000
    assert world.acknowledged == [f"e{n}" for n in range(1_000 - world.shed)]
    world.courier.move(world.bus)
    assert ids_on(world.bus) == world.acknowledged
    world.put(1)
    assert world.spool.shed == world.shed  # there is room again
    world.close()


def test_a_backlog_is_cut_into_batches_within_the_bound(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put(60)
    world.courier.move(world.bus)
    sizes = [one.items for one in world.bus.read(TOPIC_EVENTS, 1, -1, 1_000)]
    assert sum(sizes) == 60
    assert max(sizes) == BATCH_ITEMS_MAX
    world.close()


def test_bytes_without_their_mark_are_not_events(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.put(3)
    world.spool._map[world.spool._at : world.spool._at + 5] = b"half an event"[:5]  # killed between bytes and mark
    world.die()
    world.courier.move(world.bus)
    assert ids_on(world.bus) == world.acknowledged
    world.close()


@pytest.mark.parametrize("damage", ["empty", "short", "junk", "marks beyond the end"])
def test_a_damaged_file_is_set_aside_and_the_others_are_moved(tmp_path: Path, damage: str) -> None:
    world = World(tmp_path)
    world.put(3)
    bad = world.folder / "w_0-1.seg"
    good = next(world.folder.glob("*.seg")).read_bytes()
    bad.write_bytes(
        {
            "empty": b"",
            "short": good[:40],
            "junk": b"\x00" * HEADER_BYTES + b"\x07" * 900,
            "marks beyond the end": good[:100],
        }[damage]
    )
    world.die()
    world.courier.move(world.bus)
    assert ids_on(world.bus) == world.acknowledged
    assert world.courier.damaged == 1
    assert (world.folder / "w_0-1.damaged").exists()
    world.close()


def test_two_live_workers_cannot_share_a_folder(tmp_path: Path) -> None:
    first = Spool(tmp_path / "w0")
    with pytest.raises(OSError, match="in use by another gateway worker"):
        Spool(tmp_path / "w0")
    first.close()
    Spool(tmp_path / "w0").close()


def test_events_of_the_living_and_the_dead_are_moved_and_only_the_files_of_the_living_stay(tmp_path: Path) -> None:
    bus = EmbeddedBus(tmp_path / "bus.sqlite", ManualClock())
    live, dead = Spool(tmp_path / "w0"), Spool(tmp_path / "w6")
    live.put(event(request_id="live"))
    dead.put(event(request_id="dead"))
    dead.close()
    assert recover(tmp_path, bus) == 2
    assert [one.items for one in bus.read(TOPIC_EVENTS, 6 % bus.partitions, -1, 10)] == [1]
    assert sorted(ids_on(bus)) == ["dead", "live"]
    assert (len(list((tmp_path / "w0").glob("*.seg"))), list((tmp_path / "w6").glob("*.seg"))) == (1, [])
    live.put(event(request_id="later"))
    assert recover(tmp_path, bus) == 1
    live.close()
    bus.close()


def test_two_couriers_cannot_empty_the_same_spools(tmp_path: Path) -> None:
    first = Courier(tmp_path)
    with pytest.raises(OSError, match="by another courier"):
        Courier(tmp_path)
    first.close()
    Courier(tmp_path).close()


def test_a_worker_lets_go_of_what_the_courier_has_moved(tmp_path: Path) -> None:
    world = World(tmp_path)
    for _ in range(6):  # more than its bound holds at once
        world.put(40)
        world.spool.prepare()
        world.courier.move(world.bus)
    assert world.shed == 0
    assert ids_on(world.bus) == world.acknowledged
    assert len(list(world.folder.glob("*.seg"))) == 1
    world.close()


def test_a_closed_spool_sheds(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "w0")
    spool.close()
    assert not spool.put(event())
    assert spool.shed == 1


def die(spool: Spool) -> None:
    """What kill -9 leaves: files as they are, the lock gone."""
    spool.close()


def test_a_worker_that_keeps_dying_while_the_bus_is_away_stays_within_the_bound(tmp_path: Path) -> None:
    folder = tmp_path / "w0"
    for _ in range(3):
        spool = Spool(folder, left_bytes_max=3 * SPOOL_SEGMENT_BYTES)
        spool.put(event())
        die(spool)
    with pytest.raises(OSError, match="full of events that wait"):
        Spool(folder, left_bytes_max=3 * SPOOL_SEGMENT_BYTES)
    assert len(list(folder.glob("*.seg"))) == 3
    bus = EmbeddedBus(tmp_path / "bus", ManualClock())
    assert recover(tmp_path, bus) == 3
    bus.close()
    Spool(folder, left_bytes_max=3 * SPOOL_SEGMENT_BYTES).close()


def test_predecessors_without_events_leave_nothing_behind(tmp_path: Path) -> None:
    bus = EmbeddedBus(tmp_path / "bus", ManualClock())
    for _ in range(5):
        Spool(tmp_path / "w0").close()
        recover(tmp_path, bus)
    bus.close()
    assert list((tmp_path / "w0").glob("*.seg")) == []
