"""Changes on one machine: an SQLite file that analyzer and console write."""

import threading
from collections.abc import Sequence
from pathlib import Path

import msgspec

from foregate.adapters.embedded.database import failures_of, open_database, transaction
from foregate.ports.changes import CHANGES_MAX, ChangeStore
from foregate.wire.change import Change

_MIGRATIONS = (
    """
    CREATE TABLE changes (id TEXT PRIMARY KEY, time_s REAL NOT NULL, change BLOB NOT NULL) WITHOUT ROWID;
    CREATE INDEX changes_by_time ON changes (time_s, id);
    CREATE TABLE notes (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID
    """,
)
_NOTE = "configuration"
_TRIM = (
    "DELETE FROM changes WHERE id IN (SELECT id FROM changes ORDER BY time_s DESC, id DESC LIMIT -1 OFFSET ?)"  # oldest
)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Change).decode


class EmbeddedChanges(ChangeStore):
    """Keeps `foregate.ports.changes.ChangeStore` in the file at `path`. Threads may share one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._db = open_database(path, _MIGRATIONS, durable=True)

    def put(self, changes: Sequence[Change], note: bytes | None = None) -> None:
        """Keep them and the note in one transaction; beyond `CHANGES_MAX` the oldest go."""
        rows = [(one.id, one.time_s, _encode(one)) for one in changes]
        with self._lock, failures_of(self._path), transaction(self._db):
            self._db.executemany("INSERT OR REPLACE INTO changes VALUES (?, ?, ?)", rows)
            if rows:
                self._db.execute(_TRIM, (CHANGES_MAX,))
            if note is not None:
                self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (_NOTE, note))

    def recent(self, limit: int, *, before_s: float | None = None) -> list[Change]:
        """The newest first."""
        query = "SELECT change FROM changes WHERE time_s < ? ORDER BY time_s DESC, id DESC LIMIT ?"
        return self._changes(query, float("inf") if before_s is None else before_s, limit)

    def between(self, from_s: float, until_s: float, limit: int) -> list[Change]:
        """The oldest first."""
        query = "SELECT change FROM changes WHERE time_s >= ? AND time_s < ? ORDER BY time_s, id LIMIT ?"
        return self._changes(query, from_s, until_s, limit)

    def _changes(self, query: str, *values: float) -> list[Change]:
        with self._lock, failures_of(self._path):
            return [_decode(row[0]) for row in self._db.execute(query, values)]

    def noted(self) -> bytes | None:
        """The last note."""
        with self._lock, failures_of(self._path):
            row = self._db.execute("SELECT value FROM notes WHERE name = ?", (_NOTE,)).fetchone()
        return None if row is None else bytes(row[0])

    def close(self) -> None:
        with self._lock:
            self._db.close()
