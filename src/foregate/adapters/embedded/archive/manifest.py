"""Which segments there are, how far the bus is covered, and what became of the items: one SQLite file."""

import sqlite3
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from foregate.adapters.embedded.copying import open_unchanged
from foregate.adapters.embedded.database import failures_of, open_database, transaction
from foregate.wire.accounts import Kind

FILE = "manifest.sqlite"
STAGING = ".backup"  # second names for segments, which keep them while a backup copies them
BACKUP_LOCK = "backup.lock"  # held meanwhile
_MIGRATIONS = (
    """
    CREATE TABLE shapes (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, columns TEXT NOT NULL, UNIQUE (kind, columns));
    CREATE TABLE segments (
        file TEXT PRIMARY KEY, kind TEXT NOT NULL, org TEXT NOT NULL, day INTEGER NOT NULL,
        shape INTEGER NOT NULL REFERENCES shapes (id), items INTEGER NOT NULL, bytes INTEGER NOT NULL,
        first_s REAL NOT NULL, last_s REAL NOT NULL, digest TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX segments_by_time ON segments (kind, org, last_s);
    CREATE TABLE replaced (file TEXT PRIMARY KEY, at_s REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE offsets (
        topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL, PRIMARY KEY (topic, partition)
    ) WITHOUT ROWID;
    CREATE TABLE counts (
        kind TEXT NOT NULL, outcome TEXT NOT NULL, items INTEGER NOT NULL, PRIMARY KEY (kind, outcome)
    ) WITHOUT ROWID
    """,
)
_NAMES = "file, segments.kind, org, day, columns, items, bytes, first_s, last_s, digest"
_SELECT = f"SELECT {_NAMES} FROM segments JOIN shapes ON id = shape"  # noqa: S608


class Segment(NamedTuple):
    """`file` is relative to the archive's folder. `columns`: the names of those it has, as JSON. `day`: since 1970, in
    UTC; all its items are of that day. `digest`: SHA-256 of the file."""

    file: str
    kind: Kind
    org: str
    day: int
    columns: str
    items: int
    bytes: int
    first_s: float
    last_s: float
    digest: str

    @property
    def names(self) -> frozenset[str]:
        return frozenset(msgspec.json.decode(self.columns, type=list[str]))


class Manifest:
    """One handle. Threads may share it; each process opens its own."""

    def __init__(self, folder: Path, *, read_only: bool = False) -> None:
        """`read_only` touches nothing, not even to bring an old one up to date. Raises OSError."""
        self._path = folder / FILE
        self._lock = threading.Lock()
        if read_only:
            self._db = open_unchanged(self._path)
        else:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = open_database(self._path, _MIGRATIONS, durable=True)

    def add(
        self,
        segments: Sequence[Segment],
        topic: str,
        offsets: Mapping[int, int],
        kind: Kind,
        counts: Mapping[str, int],
    ) -> None:
        """Name new segments, with the offsets they cover and what is to be counted, in one transaction."""
        with self._lock, failures_of(self._path), transaction(self._db):
            self._insert(segments)
            self._db.executemany(
                "INSERT OR REPLACE INTO offsets VALUES (?, ?, ?)", [(topic, *each) for each in offsets.items()]
            )
            self._count(kind, counts)

    def replace(
        self, old: Sequence[Segment], new: Sequence[Segment], now_s: float, kind: Kind, counts: Mapping[str, int]
    ) -> None:
        """Put `new` in the place of `old`, whose files stay until they are forgotten."""
        with self._lock, failures_of(self._path), transaction(self._db):
            self._db.executemany("DELETE FROM segments WHERE file = ?", [(each.file,) for each in old])
            self._db.executemany("INSERT INTO replaced VALUES (?, ?)", [(each.file, now_s) for each in old])
            self._insert(new)
            self._count(kind, counts)

    def _insert(self, segments: Iterable[Segment]) -> None:
        for each in segments:
            shape = (each.kind, each.columns)
            self._db.execute("INSERT OR IGNORE INTO shapes (kind, columns) VALUES (?, ?)", shape)
            self._db.execute(
                "INSERT INTO segments VALUES "
                "(?, ?, ?, ?, (SELECT id FROM shapes WHERE kind = ? AND columns = ?), ?, ?, ?, ?, ?)",
                (*each[:4], *shape, *each[5:]),
            )

    def _count(self, kind: Kind, counts: Mapping[str, int]) -> None:
        self._db.executemany(
            "INSERT INTO counts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET items = items + excluded.items",
            [(kind, outcome, items) for outcome, items in counts.items() if items],
        )

    def segments(
        self, kind: Kind | None = None, org: str | None = None, from_s: float | None = None, until_s: float = 1e300
    ) -> list[Segment]:
        """Those that may hold items of the range, the newest first."""
        conditions, values = ["first_s < ?"], list[object]([until_s])
        for name, value in (("segments.kind =", kind), ("org =", org), ("last_s >=", from_s)):
            if value is not None:
                conditions.append(f"{name} ?")
                values.append(value)
        query = f"{_SELECT} WHERE {' AND '.join(conditions)} ORDER BY last_s DESC, file"
        with self._lock, failures_of(self._path):
            return [Segment._make(row) for row in self._db.execute(query, values)]

    def offsets(self, topic: str) -> dict[int, int]:
        """Partition → last offset whose items are in segments."""
        with self._lock, failures_of(self._path):
            return dict(self._db.execute("SELECT partition, offset FROM offsets WHERE topic = ?", (topic,)).fetchall())

    def counts(self, kind: Kind) -> dict[str, int]:
        """Outcome → items, since ever."""
        with self._lock, failures_of(self._path):
            return dict(self._db.execute("SELECT outcome, items FROM counts WHERE kind = ?", (kind,)).fetchall())

    def orgs(self) -> list[str]:
        """Whose segments there are, by name."""
        return [org for (org,) in self._rows("SELECT DISTINCT org FROM segments ORDER BY org")]

    def items(self, kind: Kind) -> int:
        """In all segments of the kind."""
        return int(self._rows("SELECT coalesce(sum(items), 0) FROM segments WHERE kind = ?", (kind,))[0][0])

    @property
    def bytes_used(self) -> int:
        """Of the segments' files; those that are about to be deleted are not counted."""
        return int(self._rows("SELECT coalesce(sum(bytes), 0) FROM segments")[0][0])

    def newest_s(self, kind: Kind, org: str) -> float:
        """The time of the newest item; 0 where there is none."""
        query = "SELECT coalesce(max(last_s), 0) FROM segments WHERE kind = ? AND org = ?"
        return float(self._rows(query, (kind, org))[0][0])

    def replaced(self, before_s: float = 1e300) -> list[str]:
        """Files that no longer count, replaced before then."""
        return [file for (file,) in self._rows("SELECT file FROM replaced WHERE at_s < ?", (before_s,))]

    def forget(self, files: Sequence[str]) -> None:
        """Replaced files that have been deleted."""
        with self._lock, failures_of(self._path), transaction(self._db):
            self._db.executemany("DELETE FROM replaced WHERE file = ?", [(file,) for file in files])

    def _rows(self, query: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        with self._lock, failures_of(self._path):
            return self._db.execute(query, values).fetchall()

    def close(self) -> None:
        with self._lock:
            self._db.close()
