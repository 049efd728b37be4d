"""One handle's way into the file: threads take turns, and so do processes."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foregate.adapters.embedded.bus.schema import MIGRATIONS
from foregate.adapters.embedded.database import BUSY_TIMEOUT_S, failures_of, open_database, transaction

_CHECKPOINT_PAGES = 256  # of the log, moved into the file by the commit that reaches them: often, but little at a time
_WAL_BYTES_MAX = 67_108_864  # the write-ahead log is cut to it, when a long read has let it grow
_TRY_EVERY_S = 0.001  # SQLite itself would wait longer and longer, up to 100 ms, while others come and go
_TRIES = int(BUSY_TIMEOUT_S / _TRY_EVERY_S)


class BusFile:
    """A connection that threads share. Raises OSError when the file cannot be opened or read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = open_database(path, MIGRATIONS, durable=True)
        self.db.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        self.db.execute(f"PRAGMA journal_size_limit={_WAL_BYTES_MAX}")
        self._lock = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """For one statement."""
        with self._lock, failures_of(self.path):
            yield self.db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """For several that happen all or not at all; durable when the block is left."""
        with self._lock, failures_of(self.path), transaction(self.db, _begin):
            yield self.db

    @property
    def bytes_used(self) -> int:
        """Without the pages that deleted batches have left: those are used again."""
        with self.reading() as db:
            pages, free, size = (
                db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
            )
        return int((pages - free) * size)

    def close(self) -> None:
        with self._lock:
            self.db.close()


def _begin(db: sqlite3.Connection) -> None:
    """Take the write lock, when it is free. Raises sqlite3.OperationalError when it is not for long."""
    db.execute("PRAGMA busy_timeout=0")
    try:
        for tries_left in range(_TRIES, -1, -1):
            try:
                db.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or tries_left == 0:
                    raise
            time.sleep(_TRY_EVERY_S)
    finally:
        db.execute(f"PRAGMA busy_timeout={int(BUSY_TIMEOUT_S * 1_000)}")
