"""SQLite files as a whole: copied while others write them, and looked at for damage."""

import sqlite3
from contextlib import closing
from pathlib import Path

from foregate.adapters.embedded.database import BUSY_TIMEOUT_S, failures_of


def open_unchanged(path: Path) -> sqlite3.Connection:
    """To read it, whatever its version, and to leave it as it is. Raises OSError."""
    address = f"{path.absolute().as_uri()}?mode=ro"
    with failures_of(path):
        return sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)


def copy_database(source: Path, target: Path) -> None:
    """As it is at one moment, in one file for its owner alone. Writers go on meanwhile. Raises OSError."""
    target.touch(mode=0o600)
    with failures_of(source), closing(open_unchanged(source)) as reading, closing(sqlite3.connect(target)) as copy:
        reading.backup(copy)  # in one step, hence of one snapshot
        copy.execute("PRAGMA journal_mode=DELETE")  # no log beside it; whoever opens it sets what it needs


def damage_of(path: Path, *, quick: bool = False) -> list[str]:
    """What is wrong with it, in SQLite's words; [] when it is whole. `quick` looks at no index."""
    try:
        with closing(open_unchanged(path)) as connection:
            rows = connection.execute(f"PRAGMA {'quick_check' if quick else 'integrity_check'}(20)").fetchall()
    except (sqlite3.DatabaseError, OSError) as error:
        return [str(error)]
    return [text for (text,) in rows if text != "ok"]
