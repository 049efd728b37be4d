"""SQLite files: refused with a sentence when they cannot be used, whole again after a crash, never wiped."""

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.database import StoreUnusable, open_database, transaction
from foregate.adapters.embedded.findings import EmbeddedFindings
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.kernel.clock import ManualClock

Opener = Callable[[Path], EmbeddedBus | EmbeddedSeries | EmbeddedFindings]
stores = pytest.mark.parametrize(
    "open_store", [lambda path: EmbeddedBus(path, ManualClock()), EmbeddedSeries, EmbeddedFindings]
)


@stores
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, open_store: Opener) -> None:
    path = tmp_path / "store.sqlite"
    path.write_bytes(b"this is somebody's diary " * 400)
    with pytest.raises(StoreUnusable, match=r"store\.sqlite cannot be read .* put a backup in its place"):
        open_store(path)
    assert path.read_bytes().startswith(b"this is somebody's diary")


@stores
def test_a_store_of_a_newer_version_is_refused(tmp_path: Path, open_store: Opener) -> None:
    path = tmp_path / "store.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(StoreUnusable, match=r"written by a newer foregate .schema 99"):
        open_store(path)


@stores
def test_a_folder_that_does_not_exist_is_an_os_error(tmp_path: Path, open_store: Opener) -> None:
    with pytest.raises(OSError, match="missing"):
        open_store(tmp_path / "missing" / "store.sqlite")


@stores
def test_a_page_that_was_overwritten_is_reported_with_the_path(tmp_path: Path, open_store: Opener) -> None:
    path = tmp_path / "store.sqlite"
    open_store(path).close()
    damaged = bytearray(path.read_bytes())
    damaged[100:4_096] = b"\xff" * 3_996
    path.write_bytes(damaged)
    with pytest.raises(StoreUnusable, match=r"store\.sqlite cannot be read"):
        open_store(path)


def test_migrations_lead_from_any_version_to_the_newest_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    steps = ("CREATE TABLE a (x)", "CREATE TABLE b (x); INSERT INTO b VALUES (1)")
    open_database(path, steps[:1], durable=True).close()
    connection = open_database(path, steps, durable=True)
    assert connection.execute("SELECT x FROM b").fetchall() == [(1,)]
    connection.close()
    open_database(path, steps, durable=True).close()  # and nothing more is done the next time


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with pytest.raises(OSError, match=r"store\.sqlite"):
        open_database(path, ("CREATE TABLE a (x); CREATE NONSENSE",), durable=True)
    connection = open_database(path, ("CREATE TABLE a (x)",), durable=True)
    assert connection.execute("SELECT count(*) FROM a").fetchone() == (0,)
    connection.close()


def test_many_threads_may_make_a_store_at_once(tmp_path: Path) -> None:
    path, failures = tmp_path / "bus.sqlite", []

    def make() -> None:
        try:
            EmbeddedBus(path, ManualClock()).close()
        except OSError as error:
            failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_full_disk_is_an_os_error_and_the_bus_works_again_afterwards(tmp_path: Path) -> None:
    bus = EmbeddedBus(tmp_path / "bus.sqlite", ManualClock())
    pages = bus._file.db.execute("PRAGMA page_count").fetchone()[0]
    bus._file.db.execute(f"PRAGMA max_page_count={pages + 1}")  # SQLite then says "database or disk is full"
    with pytest.raises(OSError, match="full"):
        bus.append("events", 0, os.urandom(100_000), 1, producer="p", sequence=1)
    bus._file.db.execute("PRAGMA max_page_count=1000000")
    assert bus.append("events", 0, os.urandom(100_000), 1, producer="p", sequence=1)
    bus.close()


_CRASH = """
import os, signal, sys
from pathlib import Path
from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.kernel.clock import SystemClock
bus = EmbeddedBus(Path(sys.argv[1]), SystemClock())
bus.append("events", 0, b"whole", 1, producer="p", sequence=1)
bus._file.db.execute("BEGIN IMMEDIATE")
bus._file.db.execute("INSERT INTO batches VALUES ('events', 0, 1, 0.0, 1, zeroblob(3000000), 0)")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_transaction_cut_by_kill_9_is_gone_and_the_ones_before_are_there(tmp_path: Path) -> None:
    path = tmp_path / "bus.sqlite"
    assert subprocess.run([sys.executable, "-c", _CRASH, str(path)], check=False, timeout=60).returncode == -9
    bus = EmbeddedBus(path, ManualClock())
    assert [one.payload for one in bus.read("events", 0, -1, 10)] == [b"whole"]
    assert bus.append("events", 0, b"next", 1, producer="p", sequence=2)
    bus.close()


def test_a_commit_that_fails_leaves_no_transaction_open(tmp_path: Path) -> None:
    schema = (
        "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a INTEGER REFERENCES a DEFERRABLE INITIALLY DEFERRED)"
    )
    db = open_database(tmp_path / "a.sqlite", [schema], durable=True)
    db.execute("PRAGMA foreign_keys=ON")
    with pytest.raises(sqlite3.IntegrityError), transaction(db):
        db.execute("INSERT INTO b VALUES (7)")  # found out at the commit
    with transaction(db):
        db.execute("INSERT INTO a VALUES (8)")
    assert db.execute("SELECT count(*) FROM b").fetchone() == (0,)
    db.close()


def test_the_file_decides_how_many_partitions_there_are(tmp_path: Path) -> None:
    EmbeddedBus(tmp_path / "bus.sqlite", ManualClock(), partitions=2).close()
    again = EmbeddedBus(tmp_path / "bus.sqlite", ManualClock(), partitions=8)
    assert again.partitions == 2
    again.close()
