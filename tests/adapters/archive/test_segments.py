"""The archive's files: what a crash leaves, what older versions wrote, what goes wrong while one is read or written."""

import os
import random
import re
import threading
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from tests.ports.archive_world import ALL_S, DAY_S
from tests.telemetry.making import T0, event, traffic

from foregate.adapters.embedded.archive import segments as files
from foregate.adapters.embedded.archive.manifest import Manifest, Segment
from foregate.adapters.embedded.archive.merging import ITEMS_MAX, choose
from foregate.adapters.embedded.archive.reader import EmbeddedArchiveReader
from foregate.adapters.embedded.archive.writer import GRACE_S, EmbeddedArchive
from foregate.adapters.sql import Query
from foregate.adapters.sql import columns as sql_columns
from foregate.kernel.clock import ManualClock
from foregate.kernel.errors import ForegateError
from foregate.ports.archive import PAGE_ITEMS_MAX
from foregate.wire import TOPIC_EVENTS
from foregate.wire.ask import Ask, Filter

COUNT = Ask("default", *ALL_S, ("requests",))


class World:
    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, ManualClock(T0)
        self.writer = EmbeddedArchive(folder, self.clock)
        self.reader = EmbeddedArchiveReader(folder)

    def put(self, *items: Any, kind: Any = "events") -> None:
        self.writer.append(kind, items, TOPIC_EVENTS, {}, {})

    def files(self) -> list[Path]:
        return sorted(files.files_under(self.folder))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "archive")


def test_what_a_crash_has_left_is_deleted_by_the_next_writer(world: World) -> None:
    world.put(event())
    (named,) = world.files()
    (named.parent / "s_half.parquet").write_bytes(b"PAR1")
    world.writer.close()
    EmbeddedArchive(world.folder, world.clock).close()
    assert world.files() == [named]


def test_there_is_one_writer(world: World) -> None:
    with pytest.raises(OSError, match="being written by another"):
        EmbeddedArchive(world.folder, world.clock)
    world.writer.close()
    EmbeddedArchive(world.folder, world.clock).close()


def test_an_append_that_fails_half_way_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def failing(path: Path) -> None:
        calls.append(path)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files, "sync", failing)
        with pytest.raises(OSError, match="No space"):
            world.put(event(), event(time_s=T0 + DAY_S), event(time_s=T0 + 2 * DAY_S))
    assert world.files() == []
    assert world.reader.items("events") == 0
    world.put(event())
    assert world.reader.items("events") == 1


def test_a_reader_goes_on_while_its_segments_are_replaced_and_they_go_after_the_grace(world: World) -> None:
    for at in range(8):
        world.put(event(time_s=T0 + at))
    before = world.files()
    assert world.writer.compact() == 8
    assert set(before) < set(world.files())
    world.clock.advance(GRACE_S + 1)
    world.writer.compact()
    (merged,) = world.files()
    assert merged not in before
    assert world.reader.ask(COUNT, rows_max=8).series[0].whole == (8,)


def test_appending_waits_for_no_merge(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for at in range(8):
        world.put(event(time_s=T0 + at))
    merging, go_on = threading.Event(), threading.Event()
    real = files.SegmentFile.write

    def slow(self: files.SegmentFile, table: Any) -> None:
        if threading.current_thread() is tidying:
            merging.set()
            go_on.wait(10)
        real(self, table)

    monkeypatch.setattr(files.SegmentFile, "write", slow)
    tidying = threading.Thread(target=world.writer.compact)
    tidying.start()
    assert merging.wait(10)
    world.put(event(time_s=T0 + 100))
    assert world.reader.ask(COUNT, rows_max=9).series[0].whole == (9,)
    go_on.set()
    tidying.join()
    assert world.reader.ask(COUNT, rows_max=9).series[0].whole == (9,)
    assert world.reader.items("events") == 9


def older(world: World, *missing: str) -> None:
    """Rewrite all segments as a foregate wrote them that did not know these fields yet."""
    manifest = Manifest(world.folder)
    for old in manifest.segments():
        path = world.folder / old.file
        pq.write_table(pq.read_table(path, partitioning=None).drop_columns(list(missing)), path)
        names = [name for name in msgspec.json.decode(old.columns) if name not in missing]
        new = old._replace(columns=msgspec.json.encode(names).decode(), bytes=path.stat().st_size)
        manifest._db.execute("DELETE FROM segments WHERE file = ?", (old.file,))
        manifest.add([new], "", {}, old.kind, {})
    manifest.close()


def test_segments_of_an_older_version_are_read_beside_new_ones_and_merged_with_them(world: World) -> None:
    for at in range(4):
        world.put(event(time_s=T0 + at, region="eu", source="otlp"))
    older(world, "region", "source")
    for at in range(4, 8):
        world.put(event(time_s=T0 + at, region="us"))
    for _ in range(2):
        page = world.reader.scan("events", "default", *ALL_S)
        assert [(row["region"], row["source"]) for row in page.rows] == [("us", "gateway")] * 4 + [("", "gateway")] * 4
        where = [Filter("region", "ne", ("us",))]
        assert len(world.reader.scan("events", "default", *ALL_S, where).rows) == 4
        assert world.writer.compact() in (8, 0)


def test_a_question_that_takes_too_long_is_broken_off(world: World) -> None:
    world.put(event())
    hasty = EmbeddedArchiveReader(world.folder, timeout_s=0.2)
    endless = Query("SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = ?", [7])
    with pytest.raises(ForegateError, match="query_timeout"):
        hasty._run(endless)
    assert hasty.ask(COUNT, rows_max=1).series[0].whole == (1,)
    hasty.close()


def test_a_question_that_needs_too_much_memory_is_refused(world: World) -> None:
    small = EmbeddedArchiveReader(world.folder, memory_bytes_max=32_000_000)
    with pytest.raises(ForegateError, match="query_too_large"):
        small._run(Query("SELECT list(range) FROM range(9000000)", []))
    small.close()


def test_readers_can_reach_no_file_outside_the_archive(world: World, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(Exception, match="disabled by configuration"):
        world.reader._duckdb.execute(f"SELECT * FROM read_csv('{tmp_path / 'secret.csv'}')")
    with pytest.raises(Exception, match="locked"):
        world.reader._duckdb.execute("SET enable_external_access = true")


def test_a_segment_that_is_gone_is_an_error_and_no_wrong_answer(world: World) -> None:
    world.put(event())
    world.files()[0].unlink()
    with pytest.raises(OSError, match="archive"):
        world.reader.ask(COUNT, rows_max=1)


def segment(at: int, items: int, day: int = 19_675) -> Segment:
    return Segment(f"{at}", "events", "a", day, "[]", items, items * 80, day * DAY_S + at, day * DAY_S + at + 1, "")


def test_an_item_is_merged_a_few_times_only_and_few_segments_are_left() -> None:
    chance = random.Random(3)
    there: list[Segment] = []
    moved = total = 0
    for at in range(3_000):
        there.append(segment(at, chance.randrange(500, 40_000)))
        total += there[-1].items
        while chosen := choose(there, 19_675 * DAY_S + 1.0):
            moved += sum(each.items for each in chosen)
            there = [each for each in there if each not in chosen]
            there.append(segment(10_000 + at, sum(each.items for each in chosen)))
    assert moved < 4 * total
    assert max(each.items for each in there) <= ITEMS_MAX
    assert len(there) < 60 + total / ITEMS_MAX * 2
    while chosen := choose(there, 19_677 * DAY_S):
        there = [each for each in there if each not in chosen]
        there.append(segment(1, sum(each.items for each in chosen)))
    assert len(there) < 10 + total / ITEMS_MAX * 2


def test_days_and_organisations_are_never_mixed() -> None:
    mixed = [segment(at, 100, day) for at in range(7) for day in (19_675, 19_676)]
    assert choose(mixed, 0.0) == []
    assert {each.day for each in choose([*mixed, segment(9, 100, 19_676)], 0.0)} == {19_676}


def test_every_column_of_a_message_is_stored_under_its_name() -> None:
    for kind in ("events", "spans", "points"):
        message = sql_columns.MESSAGES[kind]
        assert [column.name for column in sql_columns.columns(kind)] == list(message.__struct_fields__)  # type: ignore[arg-type]


def test_files_are_of_their_owner_alone(world: World) -> None:
    world.put(event())
    for path in world.files():
        assert os.stat(path.parent).st_mode & 0o077 == 0


@pytest.mark.parametrize("content", [b"", b"PAR1" + bytes(200) + b"PAR1", b"no Parquet at all"])
def test_a_damaged_segment_is_an_error_of_the_store_and_no_wrong_answer(tmp_path: Path, content: bytes) -> None:
    world = World(tmp_path)
    world.put(event(), event(status=500))
    world.files()[0].write_bytes(content)
    for question in (
        lambda: world.reader.ask(COUNT, rows_max=9),
        lambda: world.reader.scan("events", "default", *ALL_S),
    ):
        with pytest.raises(OSError, match=re.escape(str(tmp_path))):
            question()


@pytest.mark.parametrize("damage", ["gone", "no Parquet", "a page"])
def test_a_damaged_segment_keeps_no_other_from_being_merged_or_expiring(world: World, damage: str) -> None:
    for at in range(20):
        world.put(*(event(time_s=T0 + at * 60 + n / 1_000, request_id=f"{at:08x}{n:024x}") for n in range(1_200)))
    bad = min(world.files(), key=lambda path: path.stat().st_mtime_ns)
    content = bad.read_bytes()
    if damage == "gone":
        bad.unlink()
    elif damage == "no Parquet":
        bad.write_bytes(b"\0" * len(content))
    else:
        bad.write_bytes(content[:100] + b"\0" * 2_000 + content[2_100:])
    with pytest.raises(OSError, match=bad.name):
        world.writer.compact()
    while world.writer.compact():
        pass
    assert len(Manifest(world.folder).segments()) < 10
    assert world.writer.expire("events", "default", T0 + 0.5) == 0  # it is cut by the border, and cannot be read
    assert world.writer.expire("events", "default", T0 + 10 * DAY_S) == 20 * 1_200


def test_the_largest_page_of_many_events_needs_memory_for_a_page_not_for_all(tmp_path: Path) -> None:
    writer = EmbeddedArchive(tmp_path, ManualClock(T0))
    writer.append("events", traffic(1, 120_000), TOPIC_EVENTS, {}, {})
    writer.close()
    reader = EmbeddedArchiveReader(tmp_path, memory_bytes_max=64 << 20)  # a sort of all of them takes twice that
    assert len(reader.scan("events", "default", *ALL_S, limit=PAGE_ITEMS_MAX).rows) == PAGE_ITEMS_MAX
    reader.close()
