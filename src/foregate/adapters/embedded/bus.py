"""The bus on one machine: an SQLite file, one row per batch, written by several processes.

A batch is durable (fsync) before `append` returns. Offsets never restart, even when all batches have expired, and
`time_s` never goes back within a partition, so that "older than" and "before this offset" mean the same. When the clock
is set back, a batch gets the time of the one before, until `expire` pulls all that are ahead back to the clock.
"""

import threading
from collections.abc import Mapping
from pathlib import Path

from foregate.adapters.embedded.database import failures_of, open_database, transaction
from foregate.kernel.clock import Clock
from foregate.ports.bus import Batch, Trimmed

_EXPIRE_BATCHES_MAX = 500  # per transaction: appenders wait no longer than one such
_TRIM_BYTES = 33_554_432  # likewise: about that much in one
_TRIM_TO = 0.95  # of the bound, so that there is a rest between two trims
_AHEAD_S = 60.0  # a clock is set back by less all the time, and nothing expires so early
_AHEAD_FOR_S = 3_600.0  # until times ahead are believed to be wrong: it may be the clock, and for a moment
_PRODUCER_MEMORY_S = 90 * 86_400.0  # a producer silent for so long is forgotten; its spool would be as old

_MIGRATIONS = (
    """
    CREATE TABLE settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE heads (
        topic TEXT NOT NULL, partition INTEGER NOT NULL, next_offset INTEGER NOT NULL, time_s REAL NOT NULL,
        PRIMARY KEY (topic, partition)
    ) WITHOUT ROWID;
    CREATE TABLE producers (
        topic TEXT NOT NULL, producer TEXT NOT NULL, sequence INTEGER NOT NULL, time_s REAL NOT NULL,
        PRIMARY KEY (topic, producer)
    ) WITHOUT ROWID;
    CREATE TABLE batches (
        topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL, time_s REAL NOT NULL,
        items INTEGER NOT NULL, payload BLOB NOT NULL
    );
    CREATE UNIQUE INDEX batches_by_offset ON batches (topic, partition, offset, time_s)
    """,
)


class EmbeddedBus:
    """Keeps `foregate.ports.bus.Bus` in the file at `path`. Threads may share it; each process opens its own.

    `partitions` counts when the file is made; later the file decides.
    """

    def __init__(self, path: Path, clock: Clock, *, partitions: int = 4) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._ahead_since_s: dict[tuple[str, int], float] = {}  # (topic, partition) → monotonic; bounded by the topics
        self._db = open_database(path, _MIGRATIONS, durable=True)
        try:
            with failures_of(path):
                self._partitions = self._settle_partitions(partitions)
        except OSError:
            self._db.close()
            raise

    def _settle_partitions(self, wanted: int) -> int:
        with transaction(self._db):
            self._db.execute("INSERT OR IGNORE INTO settings VALUES ('partitions', ?)", (wanted,))
            row = self._db.execute("SELECT value FROM settings WHERE name = 'partitions'").fetchone()
        return int(row[0])

    @property
    def partitions(self) -> int:
        return self._partitions

    def append(self, topic: str, partition: int, payload: bytes, items: int, *, producer: str, sequence: int) -> bool:
        """Store one batch durably. False when this producer's `sequence` (or a later one) was stored before.

        Raises OSError when nothing can be stored now.
        """
        self._check(partition)
        with self._lock, failures_of(self._path), transaction(self._db):
            if not self._is_next(topic, producer, sequence):
                return False
            offset, time_s = self._place(topic, partition)
            self._db.execute(
                "INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)", (topic, partition, offset, time_s, items, payload)
            )
        return True

    def _is_next(self, topic: str, producer: str, sequence: int) -> bool:
        """Note the producer's newest sequence. One row per producer, not one per batch, makes the memory bounded."""
        noted = self._db.execute(
            "INSERT INTO producers VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET sequence = excluded.sequence, "
            "time_s = excluded.time_s WHERE excluded.sequence > sequence",
            (topic, producer, sequence, self._clock.now()),
        )
        return noted.rowcount > 0

    def _place(self, topic: str, partition: int) -> tuple[int, float]:
        row = self._db.execute(
            "INSERT INTO heads VALUES (?, ?, 1, ?) ON CONFLICT DO UPDATE SET next_offset = next_offset + 1, "
            "time_s = max(time_s, excluded.time_s) RETURNING next_offset - 1, time_s",
            (topic, partition, self._clock.now()),
        ).fetchone()
        return int(row[0]), float(row[1])

    def read(self, topic: str, partition: int, after: int, batches_max: int) -> list[Batch]:
        """Batches with offset > `after`, oldest first."""
        self._check(partition)
        with self._lock, failures_of(self._path):
            rows = self._db.execute(
                "SELECT partition, offset, time_s, items, payload FROM batches "
                "WHERE topic = ? AND partition = ? AND offset > ? ORDER BY offset LIMIT ?",
                (topic, partition, after, batches_max),
            ).fetchall()
        return [Batch._make(row) for row in rows]

    def last_offset(self, topic: str, partition: int) -> int:
        """The newest offset ever given, or -1; it stays when the batch itself has expired."""
        self._check(partition)
        with self._lock, failures_of(self._path):
            row = self._db.execute(
                "SELECT next_offset - 1 FROM heads WHERE topic = ? AND partition = ?", (topic, partition)
            ).fetchone()
        return -1 if row is None else int(row[0])

    def topics(self) -> list[str]:
        """All that batches were ever appended to, by name."""
        with self._lock, failures_of(self._path):
            return [topic for (topic,) in self._db.execute("SELECT DISTINCT topic FROM heads ORDER BY topic")]

    def expire(self, topic: str, older_than_s: float) -> int:
        """Delete batches appended before `older_than_s`, a few hundred per transaction. Returns how many.

        Call it now and then by the same handle, which sees so for how long batches have been ahead of the clock.
        """
        deleted = 0
        for partition in range(self._partitions):
            if self._is_ahead(topic, partition):
                self._pull_back(topic, partition)
            while (gone := self._expire_some(topic, partition, older_than_s)) > 0:
                deleted += gone
        with self._lock, failures_of(self._path):
            self._db.execute("DELETE FROM producers WHERE time_s < ?", (self._clock.now() - _PRODUCER_MEMORY_S,))
        return deleted

    def _is_ahead(self, topic: str, partition: int) -> bool:
        """Whether the newest batch has been ahead of the clock for long: else that may have been set wrong just now."""
        with self._lock, failures_of(self._path):
            row = self._db.execute(
                "SELECT time_s FROM heads WHERE topic = ? AND partition = ?", (topic, partition)
            ).fetchone()
        if row is None or row[0] <= self._clock.now() + _AHEAD_S:
            self._ahead_since_s.pop((topic, partition), None)
            return False
        now_s = self._clock.monotonic()
        return now_s - self._ahead_since_s.setdefault((topic, partition), now_s) >= _AHEAD_FOR_S

    def _pull_back(self, topic: str, partition: int) -> None:
        """Give the batches that are ahead of the clock its time, the oldest first, so that time never goes back."""
        now_s, after, place = self._clock.now(), -1, (topic, partition)
        while True:
            with self._lock, failures_of(self._path), transaction(self._db):
                ahead = self._db.execute(
                    "SELECT offset FROM batches INDEXED BY batches_by_offset "
                    "WHERE topic = ? AND partition = ? AND offset > ? AND time_s > ? ORDER BY offset LIMIT ?",
                    (*place, after, now_s, _EXPIRE_BATCHES_MAX),
                ).fetchall()
                if not ahead:  # nor can there be new ones before the head is pulled back, too
                    self._db.execute("UPDATE heads SET time_s = ? WHERE topic = ? AND partition = ?", (now_s, *place))
                    break
                self._db.execute(
                    "UPDATE batches SET time_s = ? WHERE topic = ? AND partition = ? AND offset BETWEEN ? AND ?",
                    (now_s, *place, ahead[0][0], ahead[-1][0]),
                )
                after = ahead[-1][0]

    def _expire_some(self, topic: str, partition: int, older_than_s: float) -> int:
        with self._lock, failures_of(self._path):
            gone = self._db.execute(
                "DELETE FROM batches WHERE rowid IN (SELECT rowid FROM batches INDEXED BY batches_by_offset "
                "WHERE topic = ? AND partition = ? AND offset < coalesce((SELECT min(offset) FROM batches "
                "INDEXED BY batches_by_offset WHERE topic = ? AND partition = ? AND time_s >= ?), 1 << 62) "
                "ORDER BY offset LIMIT ?)",
                (topic, partition, topic, partition, older_than_s, _EXPIRE_BATCHES_MAX),
            )
            return gone.rowcount

    @property
    def bytes_used(self) -> int:
        """Of the file, without the pages that deleted batches have left: those are used again."""
        with self._lock, failures_of(self._path):
            pages, free, size = (
                self._db.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        return int((pages - free) * size)

    def trim(self, topic: str, bytes_max: int, read_to: Mapping[int, int]) -> Trimmed:
        """When more than `bytes_max` is used, delete the oldest batches: those first that all readers have read.

        What nobody has read stays while other topics alone take more than that: the bound could not be kept so.
        """
        batches = items = unread = 0
        if self.bytes_used <= bytes_max:
            return Trimmed(0, 0, 0)
        excess = self.bytes_used - bytes_max * _TRIM_TO
        while excess > 0 and (gone := self._trim_some(topic, min(excess, _TRIM_BYTES), bytes_max, read_to)).batches:
            batches += gone.batches
            items += gone.items
            unread += gone.unread_items
            excess = self.bytes_used - bytes_max * _TRIM_TO
        return Trimmed(batches, items, unread)

    def _trim_some(self, topic: str, size: float, bytes_max: int, read_to: Mapping[int, int]) -> Trimmed:
        """Delete about `size` bytes of the partition whose turn it is."""
        with self._lock, failures_of(self._path), transaction(self._db):
            turn = self._turn(topic, read_to)
            if turn is None:
                return Trimmed(0, 0, 0)
            partition, until, was_read = turn
            if not was_read and self._bytes_of_others(topic) >= bytes_max:
                return Trimmed(0, 0, 0)
            rows = self._db.execute(
                "SELECT offset, items, length(payload) FROM batches INDEXED BY batches_by_offset "
                "WHERE topic = ? AND partition = ? AND offset <= ? ORDER BY offset LIMIT ?",
                (topic, partition, until, _EXPIRE_BATCHES_MAX),
            ).fetchall()
            items = count = 0
            for offset, of, payload_bytes in rows:
                count, items, size, until = count + 1, items + of, size - payload_bytes, offset
                if size <= 0:
                    break
            self._db.execute(
                "DELETE FROM batches WHERE topic = ? AND partition = ? AND offset <= ?", (topic, partition, until)
            )
        return Trimmed(count, items, 0 if was_read else items)

    def _turn(self, topic: str, read_to: Mapping[int, int]) -> tuple[int, int, bool] | None:
        """(partition, last offset that may go, whether it was read) of the oldest batch; None when there is none."""
        query = (
            "SELECT time_s, partition, offset FROM batches INDEXED BY batches_by_offset "
            "WHERE topic = ? AND partition = ? ORDER BY offset LIMIT 1"
        )
        found = (self._db.execute(query, (topic, partition)).fetchone() for partition in range(self._partitions))
        heads = [head for head in found if head is not None]
        read = [head for head in heads if head[2] <= read_to.get(head[1], -1)]
        if not heads:
            return None
        partition = min(read or heads)[1]
        return partition, read_to[partition] if read else 1 << 62, bool(read)

    def _bytes_of_others(self, topic: str) -> int:
        """Of the payloads in all other topics: quick when they have been trimmed before."""
        size = "SELECT coalesce(sum(length(payload)), 0) FROM batches INDEXED BY batches_by_offset WHERE topic"
        return int(self._db.execute(f"SELECT ({size} < ?) + ({size} > ?)", (topic, topic)).fetchone()[0])

    def _check(self, partition: int) -> None:
        if not 0 <= partition < self._partitions:
            raise ValueError(f"partition {partition} of {self._partitions}")

    def close(self) -> None:
        with self._lock:
            self._db.close()
