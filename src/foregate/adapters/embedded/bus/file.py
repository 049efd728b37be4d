"""One handle's way into the file: threads take turns, and so do processes."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foregate.adapters.embedded.bus.schema import MIGRATIONS
from foregate.adapters.embedded.database import failures_of, open_database, transaction


class BusFile:
    """A connection that threads share. Raises OSError when the file cannot be opened or read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = open_database(path, MIGRATIONS, durable=True)
        self._lock = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """For one statement."""
        with self._lock, failures_of(self.path):
            yield self.db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """For several that happen all or not at all; durable when the block is left."""
        with self._lock, failures_of(self.path), transaction(self.db):
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
