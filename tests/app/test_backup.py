"""A backup of a data directory in use is whole, a restore of it goes on where it was, and damage is found."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.ports.archive_world import ALL_S
from tests.telemetry.making import T0, event, payload
from typer.testing import CliRunner

from foregate.adapters.embedded.archive.reader import EmbeddedArchiveReader
from foregate.adapters.embedded.archive.writer import EmbeddedArchive
from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.copying import copy_database
from foregate.adapters.embedded.locks import try_hold
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.app.archiving import Archiving
from foregate.app.backup import Finding, back_up, check, make
from foregate.app.cli.data import app
from foregate.app.paths import DataDir
from foregate.kernel.clock import ManualClock, SystemClock
from foregate.telemetry.consumer import Consumer
from foregate.telemetry.windows import Windower
from foregate.wire import TOPIC_EVENTS

CLOCK = ManualClock(T0 + 600.0)


class Running:
    """A data directory with a bus, windows and an archive, that somebody writes."""

    def __init__(self, data: DataDir) -> None:
        data.create()
        data.pepper()
        data.console_token()
        self.data = data
        self.bus = EmbeddedBus(data.bus, CLOCK)
        self.series = EmbeddedSeries(data.series)
        self.consumer = Consumer(self.bus, self.series, self.series, Windower(), CLOCK)
        self.archive = EmbeddedArchive(data.archive, CLOCK)
        self.archiving = Archiving(lambda: EmbeddedBus(data.bus, CLOCK), self.archive, 0.0, CLOCK)

    def publish(self, first: int, items: int = 20) -> None:
        events = [event(time_s=T0 + at / 4, request_id=str(at)) for at in range(first, first + items)]
        self.bus.append(TOPIC_EVENTS, first % 4, payload(events), items, producer="p", sequence=first)

    def read(self) -> None:
        self.archiving.step()
        while self.consumer.step():
            pass

    def close(self) -> None:
        self.archiving.close()
        self.archive.close()
        self.series.close()
        self.bus.close()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(DataDir(tmp_path / "data"))
    for first in range(0, 400, 20):
        made.publish(first)
        made.read()
    yield made
    made.close()


def found(data: DataDir) -> tuple[Sequence[int], int]:
    """Ids in the archive, and requests in the windows of a minute."""
    reader, series = EmbeddedArchiveReader(data.archive), EmbeddedSeries(data.series)
    rows = reader.scan("events", "default", *ALL_S, limit=4_000).rows
    requests = sum(window.stats.requests for window in series.scan(60, *ALL_S))
    reader.close()
    series.close()
    return sorted(int(row["request_id"]) for row in rows), requests


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(word) for word in arguments])
    return result.exit_code, result.output


def test_a_backup_under_load_is_restored_and_reads_on_without_a_loss_or_a_double(
    running: Running, tmp_path: Path
) -> None:
    stop = threading.Event()

    def load() -> None:
        first = 400
        while not stop.is_set():
            running.publish(first)
            running.read()
            running.archive.compact()
            first += 20

    loading = threading.Thread(target=load)
    loading.start()
    try:
        assert run("backup", tmp_path / "backup", "--data-dir", running.data.root)[0] == 0
    finally:
        stop.set()
        loading.join()
    assert run("check", tmp_path / "backup") == (0, f"{tmp_path / 'backup'} is whole\n")
    again = DataDir(tmp_path / "again")
    assert run("restore", tmp_path / "backup", "--data-dir", again.root)[0] == 0
    assert again.pepper() == running.data.pepper()
    after = Running(again)
    after.read()  # what was on the bus and not yet in a store, when each was copied
    on_bus = sum(batch.items for at in range(4) for batch in after.bus.read(TOPIC_EVENTS, at, -1, 10_000))
    after.close()
    assert on_bus >= 400
    assert found(again) == (list(range(on_bus)), on_bus)
    assert list(check(again.root, CLOCK)) == []


def test_what_comes_while_the_stores_are_copied_one_by_one_is_counted_once(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    firsts = iter(range(400, 10_000, 20))

    def copied_and_more_came(source: Path, target: Path) -> None:
        copy_database(source, target)
        running.publish(next(firsts))
        running.read()

    monkeypatch.setattr(make, "copy_database", copied_and_more_came)
    back_up(running.data, tmp_path / "backup", CLOCK)
    again = DataDir(tmp_path / "again")
    assert run("restore", tmp_path / "backup", "--data-dir", again.root)[0] == 0
    after = Running(again)
    after.read()
    after.close()
    assert found(again) == (list(range(440)), 440)  # of what came after the bus was copied, nothing


def test_a_restore_overwrites_nothing(running: Running, tmp_path: Path) -> None:
    back_up(running.data, tmp_path / "backup", CLOCK)
    status, said = run("restore", tmp_path / "backup", "--data-dir", running.data.root)
    assert status == 3
    assert "not empty: nothing is overwritten" in said
    assert found(running.data)[1] == 400


def test_a_backup_that_was_changed_is_not_restored(running: Running, tmp_path: Path) -> None:
    back_up(running.data, tmp_path / "backup", CLOCK)
    with (tmp_path / "backup" / "series.sqlite").open("r+b") as file:
        file.seek(5_000)
        file.write(b"X")
    status, said = run("restore", tmp_path / "backup", "--data-dir", tmp_path / "again")
    assert status == 3
    assert "is not what was backed up" in said
    assert not (tmp_path / "again").exists()
    assert [path for path in tmp_path.iterdir() if "restoring" in path.name] == []


def test_a_backup_that_was_broken_off_is_none(running: Running, tmp_path: Path) -> None:
    back_up(running.data, tmp_path / "backup", CLOCK)
    (tmp_path / "backup" / "backup.json").unlink()
    status, said = run("restore", tmp_path / "backup", "--data-dir", tmp_path / "again")
    assert status == 3
    assert "no complete backup" in said


def test_a_second_backup_waits_for_the_first_and_takes_nothing_from_it(running: Running, tmp_path: Path) -> None:
    staging = running.data.archive / ".backup"
    staging.mkdir()
    held = try_hold(running.data.archive / "backup.lock")
    assert held is not None
    status, said = run("backup", tmp_path / "backup", "--data-dir", running.data.root)
    running.archive.trim(1 << 62)
    assert staging.exists()
    os.close(held)
    assert status == 3
    assert "is being backed up by another process" in said


def test_what_a_killed_backup_has_left_keeps_no_disk(running: Running) -> None:
    staging = running.data.archive / ".backup" / "events"
    staging.mkdir(parents=True)
    os.link(next(running.data.root.glob("archive/events/*/*/*.parquet")), staging / "s_1.parquet")
    running.archive.trim(1 << 62)
    assert not staging.parent.exists()


def test_what_a_killed_restore_has_left_is_deleted_by_the_next(running: Running, tmp_path: Path) -> None:
    back_up(running.data, tmp_path / "backup", CLOCK)
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    left = tmp_path / f".again.restoring-{killed.pid}"
    left.mkdir()
    (left / "bus.sqlite").touch()
    assert run("restore", tmp_path / "backup", "--data-dir", tmp_path / "again")[0] == 0
    assert not left.exists()
    assert found(DataDir(tmp_path / "again"))[1] == 400


@pytest.mark.parametrize("where", ["data/backup", "full"])
def test_a_backup_goes_into_an_empty_folder_elsewhere(running: Running, tmp_path: Path, where: str) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    assert run("backup", tmp_path / where, "--data-dir", running.data.root)[0] == 3


def test_damage_is_found_and_named(running: Running, tmp_path: Path) -> None:
    root = running.data.root
    for day in range(3):
        running.archive.append("events", [event(time_s=T0 + day * 86_400)], TOPIC_EVENTS, {}, {})
    assert list(check(root, SystemClock())) == []
    one, two, three, *_ = sorted(root.glob("archive/events/*/*/*.parquet"))
    one.unlink()
    content = bytearray(two.read_bytes())
    content[40] ^= 1
    two.write_bytes(content)
    three.write_bytes(three.read_bytes()[:-1])
    stranger = three.with_name("s_stranger.parquet")
    stranger.touch()
    os.utime(stranger, (1.0, 1.0))
    status, said = run("check", root, "-o", "json")
    assert status == 1
    findings = {Path(each["file"]).name: each["problem"] for each in json.loads(said)}
    assert findings.keys() == {one.name, two.name, three.name, stranger.name}
    assert "cannot be read" in findings[one.name]
    assert "SHA-256" in findings[two.name]
    assert "bytes instead of" in findings[three.name]
    assert "not in the manifest" in findings[stranger.name]
    assert len(list(check(root, SystemClock(), quick=True))) == 3  # one changed byte is not noticed without reading all


def test_a_damaged_database_is_found(running: Running) -> None:
    running.series.close()
    with sqlite3.connect(running.data.series) as db:
        db.execute("PRAGMA journal_mode=DELETE")
    db.close()
    with running.data.series.open("r+b") as file:
        file.seek(4_096)
        file.write(os.urandom(8_192))
    findings = list(check(running.data.root, CLOCK))
    assert findings
    assert {finding.file for finding in findings} == {"series.sqlite"}
    assert isinstance(findings[0], Finding)


def test_a_folder_without_any_store_is_said_to_be_none(tmp_path: Path) -> None:
    assert run("check", tmp_path)[0] == 3
    assert run("check", tmp_path / "nowhere")[0] == 3
    assert run("backup", tmp_path / "target", "--data-dir", tmp_path / "nowhere")[0] == 2
