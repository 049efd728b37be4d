"""A machine of a group: follows the events into a store that it shares with the others, until it is killed.

    python read_shared.py <settings as JSON> <SQLite file> <name>

Prints a line once it has partitions, and one whenever they change.
"""

import sqlite3
import sys
import time
from collections.abc import Mapping, Sequence

import msgspec

from foregate.adapters.distributed.kafka import KafkaBus
from foregate.kernel.clock import SystemClock
from foregate.telemetry.follow import Follower
from foregate.wire.bus import Kafka

TABLES = """
CREATE TABLE IF NOT EXISTS items (item INTEGER, reader TEXT);
CREATE TABLE IF NOT EXISTS offsets (partition INTEGER PRIMARY KEY, offset INTEGER)
"""


class Shared:
    """Items and offsets in one transaction. `lost_batches` stay in a table of their own."""

    def __init__(self, path: str, reader: str) -> None:
        self._reader = reader
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        for statement in TABLES.split(";"):
            self._db.execute(statement)

    def offsets(self, topic: str) -> dict[int, int]:
        return dict(self._db.execute("SELECT partition, offset FROM offsets").fetchall())

    def take(self, items: Sequence[int], topic: str, offsets: Mapping[int, int], counts: Mapping[str, int]) -> None:
        assert not counts["lost_batches"]
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany("INSERT INTO items VALUES (?, ?)", [(item, self._reader) for item in items])
        self._db.executemany("INSERT OR REPLACE INTO offsets VALUES (?, ?)", offsets.items())
        self._db.execute("COMMIT")


def main(settings: str, path: str, reader: str) -> None:
    bus = KafkaBus(msgspec.json.decode(settings, type=Kafka), SystemClock(), reader="items")
    follower = Follower(bus, "events", msgspec.msgpack.Decoder(list[int]).decode, Shared(path, reader))
    mine: tuple[int, ...] = ()
    while True:
        follower.step()
        if tuple(bus.assigned("events")) != mine:
            mine = tuple(bus.assigned("events"))
            print(*mine, flush=True)
        time.sleep(0.01)


if __name__ == "__main__":
    main(*sys.argv[1:])
