"""The bus's file: it stays small, and writers do not keep one another out."""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.bus.schema import MIGRATIONS
from foregate.kernel.clock import ManualClock


def test_what_repeats_itself_takes_little_room_and_is_read_as_it_was(tmp_path: Path) -> None:
    payload = b"GET /orders/{id} 200 api.acme.test " * 3_000
    with closing(EmbeddedBus(tmp_path / "bus.sqlite", ManualClock())) as bus:
        for sequence in range(20):
            bus.append("events", 0, payload, 500, producer="p", sequence=sequence)
        assert bus.bytes_used < 200_000 < 20 * len(payload)
        assert [one.payload for one in bus.read("events", 0, -1, 100)] == [payload] * 20


def test_whoever_finds_the_file_taken_waits_for_it(tmp_path: Path) -> None:
    path = tmp_path / "bus.sqlite"
    with (
        closing(EmbeddedBus(path, ManualClock())) as bus,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        appending = threading.Thread(target=lambda: bus.append("events", 0, b"x", 1, producer="p", sequence=1))
        appending.start()
        time.sleep(0.05)
        assert appending.is_alive()
        other.execute("COMMIT")
        appending.join()
        assert bus.last_offset("events", 0) == 0


def test_a_bus_of_the_first_version_is_brought_up_with_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "bus.sqlite"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(MIGRATIONS[0] + "; PRAGMA user_version = 1")
        old.execute("INSERT INTO settings VALUES ('partitions', 2)")
        old.execute("INSERT INTO heads VALUES ('events', 1, 7, 5.0)")
        old.executemany("INSERT INTO batches VALUES ('events', 1, ?, 5.0, 10, ?)", [(5, b"five"), (6, b"six")])
        old.commit()
    with closing(EmbeddedBus(path, ManualClock())) as bus:
        assert (bus.partitions, bus.appended("events"), bus.lost("events")) == (2, 20, 0)
        assert [(one.offset, one.payload) for one in bus.read("events", 1, -1, 10)] == [(5, b"five"), (6, b"six")]
        bus.append("events", 1, b"seven", 1, producer="p", sequence=1)
        assert bus.last_offset("events", 1) == 7
