"""The parts that records lie in: which there are, and the tables of one."""

import sqlite3
from typing import NamedTuple

ROWS_MAX = 250_000  # of a part: a further record begins the next one
HOURS_MAX_S = 86_400.0  # of arrival, likewise

MIGRATIONS = (
    """
    CREATE TABLE parts (
        number INTEGER PRIMARY KEY, org TEXT NOT NULL, opened_s REAL NOT NULL, closed_s REAL NOT NULL,
        first_ns INTEGER NOT NULL, last_ns INTEGER NOT NULL, records INTEGER NOT NULL
    );
    CREATE INDEX parts_by_org ON parts (org, last_ns);
    CREATE TABLE offsets (
        topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL, PRIMARY KEY (topic, partition)
    ) WITHOUT ROWID;
    CREATE TABLE counts (what TEXT PRIMARY KEY, items INTEGER NOT NULL) WITHOUT ROWID
    """,
)
INSERT = "INSERT INTO {logs} VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
IDENTIFY = "INSERT OR IGNORE INTO {ids} VALUES (?, ?)"
INDEX = "INSERT INTO {words} (rowid, body, more) VALUES (?, ?, ?)"


class Part(NamedTuple):
    """Records of `org` that arrived from `opened_s` until `closed_s` (so far), of first_ns ≤ time ≤ last_ns."""

    number: int
    org: str
    opened_s: float
    closed_s: float
    first_ns: int
    last_ns: int
    records: int

    @property
    def logs(self) -> str:
        return f"logs_{self.number}"

    @property
    def words(self) -> str:
        return f"words_{self.number}"

    @property
    def ids(self) -> str:
        """Which records have an id of this hash: a third of an index over the ids themselves."""
        return f"ids_{self.number}"

    def full(self, now_s: float) -> bool:
        """Whether new records go into another one."""
        return self.records >= ROWS_MAX or now_s - self.opened_s >= HOURS_MAX_S


def newest(db: sqlite3.Connection, org: str) -> Part | None:
    """The part that new records of `org` go into, when it is not full."""
    row = db.execute("SELECT * FROM parts WHERE org = ? ORDER BY number DESC LIMIT 1", (org,)).fetchone()
    return Part(*row) if row is not None else None


def create(db: sqlite3.Connection, org: str, now_s: float) -> Part:
    """A new, empty part. `record` is the whole of one, the other columns are to find it by; words are only indexed."""
    cursor = db.execute("INSERT INTO parts VALUES (NULL, ?, ?, ?, ?, ?, 0)", (org, now_s, now_s, 1 << 62, 0))
    part = Part(cursor.lastrowid or 0, org, now_s, now_s, 1 << 62, 0, 0)
    logs, words = part.logs, part.words
    db.execute(
        f"CREATE TABLE {logs} (number INTEGER PRIMARY KEY, severity INTEGER NOT NULL, environment TEXT NOT NULL, "
        "service TEXT NOT NULL, trace_id TEXT NOT NULL, request_id TEXT NOT NULL, key_id TEXT NOT NULL, "
        "record BLOB NOT NULL)"
    )
    db.execute(
        f"CREATE TABLE {part.ids} (hash INTEGER NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (hash, number)) "
        "WITHOUT ROWID"
    )
    db.execute(f"CREATE VIRTUAL TABLE {words} USING fts5 (body, more, content='', tokenize='unicode61')")
    return part


def grow(db: sqlite3.Connection, part: Part, first_ns: int, last_ns: int, records: int, now_s: float) -> Part:
    """Note what has come into it."""
    grown = part._replace(
        closed_s=max(part.closed_s, now_s),
        first_ns=min(part.first_ns, first_ns),
        last_ns=max(part.last_ns, last_ns),
        records=part.records + records,
    )
    db.execute(
        "UPDATE parts SET closed_s = ?, first_ns = ?, last_ns = ?, records = ? WHERE number = ?",
        (grown.closed_s, grown.first_ns, grown.last_ns, grown.records, part.number),
    )
    return grown


def drop(db: sqlite3.Connection, part: Part) -> None:
    """Delete it with all its records."""
    db.execute(f"DROP TABLE {part.words}")
    db.execute(f"DROP TABLE {part.ids}")
    db.execute(f"DROP TABLE {part.logs}")
    db.execute("DELETE FROM parts WHERE number = ?", (part.number,))
