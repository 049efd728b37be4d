"""Appending and reading: one row per batch, one per topic and partition that says how far it goes.

A batch is durable (fsync) before `append` returns. Offsets never restart, even when all batches have expired, and
`time_s` never goes back within a partition, so that "older than" and "before this offset" mean the same. When the clock
is set back, a batch gets the time of the one before, until `expire` pulls all that are ahead back to the clock.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from pathlib import Path

from foregate.adapters.embedded.bus.file import BusFile
from foregate.adapters.embedded.bus.payloads import Packed, packed, unpacked
from foregate.adapters.embedded.bus.retention import Retention
from foregate.adapters.embedded.bus.seen import ONCE_ROWS_MAX, is_new
from foregate.kernel.clock import Clock
from foregate.ports.bus import Append, Batch, Lag, Trimmed


class EmbeddedBus:
    """Keeps `foregate.ports.bus.Bus` in the file at `path`. Threads may share it; each process opens its own.

    `partitions` counts when the file is made; later the file decides.
    """

    def __init__(self, path: Path, clock: Clock, *, partitions: int = 4, once_rows_max: int = ONCE_ROWS_MAX) -> None:
        self._clock = clock
        self._once_rows_max = once_rows_max
        self._file = BusFile(path)
        try:
            self._partitions = self._settle_partitions(partitions)
        except OSError:
            self._file.close()
            raise
        self._retention = Retention(self._file, clock, self._partitions)

    def _settle_partitions(self, wanted: int) -> int:
        with self._file.writing() as db:
            db.execute("INSERT OR IGNORE INTO settings VALUES ('partitions', ?)", (wanted,))
            return int(db.execute("SELECT value FROM settings WHERE name = 'partitions'").fetchone()[0])

    @property
    def partitions(self) -> int:
        return self._partitions

    def append(self, topic: str, partition: int, payload: bytes, items: int, *, producer: str, sequence: int) -> bool:
        """Store one batch durably. False when this producer's `sequence` (or a later one) was stored before.

        Raises OSError when nothing can be stored now.
        """
        return self.append_all([Append(topic, partition, payload, items, producer, sequence)])[0]

    def append_all(self, appends: Sequence[Append]) -> list[bool]:
        """Store several batches in one transaction. Which of them were new. Raises OSError: then none is stored."""
        for one in appends:
            self._check(one.partition)
        payloads = [packed(one.payload) for one in appends]  # before anybody has to wait for it
        with self._file.writing() as db:
            new = self._which_are_new(db, appends)
            self._store(db, compress(zip(appends, payloads, strict=True), new))
        return new

    def _which_are_new(self, db: sqlite3.Connection, appends: Iterable[Append]) -> list[bool]:
        by_id: dict[str, bool] = {}
        new: list[bool] = []
        for one in appends:
            if not one.once:
                new.append(self._is_next(db, one))
                continue
            if one.once not in by_id:
                by_id[one.once] = is_new(db, one.once, self._clock.now(), self._once_rows_max)
            new.append(by_id[one.once])
        return new

    def _is_next(self, db: sqlite3.Connection, one: Append) -> bool:
        """Note the producer's newest sequence. One row per producer, not one per batch, makes the memory bounded."""
        noted = db.execute(
            "INSERT INTO producers VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET sequence = excluded.sequence, "
            "time_s = excluded.time_s WHERE excluded.sequence > sequence",
            (one.topic, one.producer, one.sequence, self._clock.now()),
        )
        return noted.rowcount > 0

    def _store(self, db: sqlite3.Connection, appends: Iterable[tuple[Append, Packed]]) -> None:
        """Give them their offsets: one step of the head for all that are of the same topic and partition."""
        places: dict[tuple[str, int], list[tuple[int, Packed]]] = {}
        for one, payload in appends:
            places.setdefault((one.topic, one.partition), []).append((one.items, payload))
        for place, batches in places.items():
            first, time_s = self._advance(db, place, len(batches), sum(items for items, _ in batches))
            db.executemany(
                "INSERT INTO batches (topic, partition, offset, time_s, items, payload, packed) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(*place, offset, time_s, items, *payload) for offset, (items, payload) in enumerate(batches, first)],
            )

    def _advance(self, db: sqlite3.Connection, place: tuple[str, int], batches: int, items: int) -> tuple[int, float]:
        """The first offset of these batches, and their time."""
        row = db.execute(
            "INSERT INTO heads (topic, partition, next_offset, time_s, items) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET next_offset = next_offset + excluded.next_offset, "
            "items = items + excluded.items, time_s = max(time_s, excluded.time_s) RETURNING next_offset, time_s",
            (*place, batches, self._clock.now(), items),
        ).fetchone()
        return int(row[0]) - batches, float(row[1])

    def appended(self, topic: str) -> int:
        """How many items were ever appended; of a log older than this count, those it held when it was brought up."""
        return self._sum_of_heads("items", topic)

    def lost(self, topic: str) -> int:
        """How many items a trim has deleted unread, since ever."""
        return self._sum_of_heads("lost", topic)

    def _sum_of_heads(self, column: str, topic: str) -> int:
        with self._file.reading() as db:
            row = db.execute(f"SELECT coalesce(sum({column}), 0) FROM heads WHERE topic = ?", (topic,)).fetchone()  # noqa: S608
        return int(row[0])

    def assigned(self, topic: str) -> Sequence[int]:
        """All partitions: whoever reads this file reads the whole of it."""
        return range(self._partitions)

    def read(self, topic: str, partition: int, after: int, batches_max: int) -> list[Batch]:
        """Batches with offset > `after`, oldest first."""
        self._check(partition)
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT partition, offset, time_s, items, payload, packed FROM batches "
                "WHERE topic = ? AND partition = ? AND offset > ? ORDER BY offset LIMIT ?",
                (topic, partition, after, batches_max),
            ).fetchall()
        return [Batch(at, offset, time_s, items, unpacked(*stored)) for at, offset, time_s, items, *stored in rows]

    def last_offset(self, topic: str, partition: int) -> int:
        """The newest offset ever given, or -1; it stays when the batch itself has expired."""
        self._check(partition)
        with self._file.reading() as db:
            row = db.execute(
                "SELECT next_offset - 1 FROM heads WHERE topic = ? AND partition = ?", (topic, partition)
            ).fetchone()
        return -1 if row is None else int(row[0])

    def lag(self, topic: str, read_to: Mapping[int, int]) -> Lag:
        """What is kept beyond these offsets."""
        batches = items = 0
        for partition in range(self._partitions):
            with self._file.reading() as db:
                row = db.execute(
                    "SELECT count(*), coalesce(sum(items), 0) FROM batches "
                    "WHERE topic = ? AND partition = ? AND offset > ?",
                    (topic, partition, read_to.get(partition, -1)),
                ).fetchone()
            batches, items = batches + row[0], items + row[1]
        return Lag(batches, items)

    def topics(self) -> list[str]:
        """All that batches were ever appended to, by name."""
        with self._file.reading() as db:
            return [topic for (topic,) in db.execute("SELECT DISTINCT topic FROM heads ORDER BY topic")]

    def expire(self, topic: str, older_than_s: float) -> int:
        """Delete batches appended before `older_than_s`, in small steps. Returns how many.

        Call it now and then by the same handle, which sees so for how long batches have been ahead of the clock.
        """
        return self._retention.expire(topic, older_than_s)

    @property
    def bytes_used(self) -> int:
        """Of the file, without the pages that deleted batches have left: those are used again."""
        return self._file.bytes_used

    def trim(self, topic: str, bytes_max: int, read_to: Mapping[int, int], *, unread: bool = True) -> Trimmed:
        """When more than `bytes_max` is used, delete the oldest batches, in small steps: those first that were read."""
        return self._retention.trim(topic, bytes_max, read_to, unread=unread)

    def _check(self, partition: int) -> None:
        if not 0 <= partition < self._partitions:
            raise ValueError(f"partition {partition} of {self._partitions}")

    def close(self) -> None:
        self._file.close()
