"""Opening SQLite files so that every failure is an OSError with the path and what to do.

WAL mode: one writer at a time (others wait `BUSY_TIMEOUT_S`), readers beside it. A crash leaves a log that SQLite
replays at the next opening; nothing here ever deletes a file it does not understand.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from foregate.adapters.embedded.locks import exclusive

BUSY_TIMEOUT_S = 5.0
_LOG_BYTES_MAX = 67_108_864  # a log that had to grow beyond it is cut when it begins anew
_GIVEN_BACK_PAGES = 2_000  # per transaction


class StoreUnusable(OSError):
    """The file is damaged, of another kind or of a newer version: waiting will not help, a person must look."""


def open_database(path: Path, migrations: Sequence[str], *, durable: bool, shrinks: bool = False) -> sqlite3.Connection:
    """Open or make the database and bring it up to date: `migrations[n]` leads from version n to n + 1.

    `durable` waits for the disk at every commit (survives power loss); without it a commit survives kill -9.
    `shrinks`: a file that is made now can be made smaller again, by `give_back`.
    The connection may be used by any thread, one at a time. Raises StoreUnusable or another OSError.
    """
    with failures_of(path), exclusive(path.with_name(path.name + ".lock")):
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            if shrinks:
                connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # has no effect on a file with tables in it
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA journal_size_limit={_LOG_BYTES_MAX}")
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


def bytes_used(connection: sqlite3.Connection) -> int:
    """Of the file, without the pages that deleted rows have left."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def give_back(connection: sqlite3.Connection) -> None:
    """Give free pages back to the file system, a few thousand per transaction."""
    free: int = connection.execute("PRAGMA freelist_count").fetchone()[0]
    for _ in range(-(-free // _GIVEN_BACK_PAGES)):
        connection.executescript(f"PRAGMA incremental_vacuum({_GIVEN_BACK_PAGES})")  # `execute` would free one page


def begin_immediate(connection: sqlite3.Connection) -> None:
    """Begin with the write lock; waits for it by the connection's own patience."""
    connection.execute("BEGIN IMMEDIATE")


def begin_reading(connection: sqlite3.Connection) -> None:
    """Begin to read of one moment, whatever is written meanwhile: also tables that come and go."""
    connection.execute("BEGIN")


@contextmanager
def transaction(
    connection: sqlite3.Connection, begin: Callable[[sqlite3.Connection], object] = begin_immediate
) -> Iterator[None]:
    """All or nothing; takes the write lock at once, so that two writers queue instead of failing half-way."""
    begin(connection)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk makes SQLite roll back by itself
            connection.execute("ROLLBACK")
        raise


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
