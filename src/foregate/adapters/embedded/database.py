"""Opening SQLite files so that every failure is an OSError with the path and what to do.

WAL mode: one writer at a time (others wait `BUSY_TIMEOUT_S`), readers beside it. A crash leaves a log that SQLite
replays at the next opening; nothing here ever deletes a file it does not understand.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from foregate.adapters.embedded.locks import exclusive

BUSY_TIMEOUT_S = 5.0


class StoreUnusable(OSError):
    """The file is damaged, of another kind or of a newer version: waiting will not help, a person must look."""


def open_database(path: Path, migrations: Sequence[str], *, durable: bool) -> sqlite3.Connection:
    """Open or make the database and bring it up to date: `migrations[n]` leads from version n to n + 1.

    `durable` waits for the disk at every commit (survives power loss); without it a commit survives kill -9.
    The connection may be used by any thread, one at a time. Raises StoreUnusable or another OSError.
    """
    with failures_of(path), exclusive(path.with_name(path.name + ".lock")):
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            _migrate(connection, path, migrations)
        except BaseException:
            connection.close()
            raise
        return connection


def _migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(migrations):
        raise StoreUnusable(
            f"{path} was written by a newer foregate (schema {version}, this one knows {len(migrations)}): "
            "install that version again, or start with another data directory"
        )
    for number in range(version, len(migrations)):
        with transaction(connection):
            for statement in migrations[number].split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={number + 1}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; takes the write lock at once, so that two writers queue instead of failing half-way."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # a full disk makes SQLite roll back by itself
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


@contextmanager
def failures_of(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into OSErrors that name the file and the way out."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OSError(f"{path}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise StoreUnusable(
            f"{path} cannot be read ({error}): put a backup in its place, or move it away to start an empty one"
        ) from error
