"""Tables divided by time, so that what is old goes without a trace: a whole part at once."""

import time
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from psycopg import errors, sql

from foregate.adapters.distributed.postgres.database import Cursor, Database

PARTS_MAX = 1_000  # of one table; what falls into none goes to its default part, which is slower and no less right
TIME_S_MIN, TIME_S_MAX = -62_135_596_800.0, 253_402_300_799.0
_DROP_LOCK_S = 2.0  # how long readers may be made to wait behind a drop that waits for others


class Divided(NamedTuple):
    """A table in parts of `width_s` (whole days) by `column`, a timestamptz."""

    table: str
    column: str
    width_s: int

    def part_of(self, time_s: float) -> int:
        """The start of the part that holds this time."""
        return int(time_s // self.width_s) * self.width_s


def moment(time_s: float) -> sql.Composed:
    """A Unix time, as it is compared with a timestamptz; no time is beyond what that can say (year 1 to 9999)."""
    return sql.SQL("to_timestamp({})").format(sql.Literal(min(max(time_s, TIME_S_MIN), TIME_S_MAX)))


class Layout(Protocol):
    """How such a table is divided."""

    def divide(self, cursor: Cursor, divided: Divided, columns: sql.Composable) -> None:
        """Make the table."""
        ...

    def prepare(self, cursor: Cursor, divided: Divided, starts: Iterable[int]) -> None:
        """Make the parts that begin at `starts`, where they are missing."""
        ...

    def drop(self, database: Database, divided: Divided, older_than_s: float, sole: sql.Composable | None) -> int:
        """Drop the parts that end by `older_than_s`. Returns how many rows that were. With `sole`, a condition, only
        those whose rows all meet it; a part that somebody reads just now is left to the next time."""
        ...


class Native:
    """PostgreSQL's own partitions. A part is filled from the default one and attached: readers go on meanwhile."""

    def divide(self, cursor: Cursor, divided: Divided, columns: sql.Composable) -> None:
        table = sql.Identifier(divided.table)
        cursor.execute(
            sql.SQL("CREATE TABLE {} ({}) PARTITION BY RANGE ({})").format(
                table, columns, sql.Identifier(divided.column)
            )
        )
        default = sql.Identifier(f"{divided.table}_default")
        cursor.execute(sql.SQL("CREATE TABLE {} PARTITION OF {} DEFAULT").format(default, table))

    def prepare(self, cursor: Cursor, divided: Divided, starts: Iterable[int]) -> None:
        wanted = set(starts) - (known := set(_parts(cursor, divided)))
        for start in sorted(wanted)[: max(0, PARTS_MAX - len(known))]:
            _attach(cursor, divided, start)

    def drop(self, database: Database, divided: Divided, older_than_s: float, sole: sql.Composable | None) -> int:
        with database.reading() as cursor:
            old = [each for each in _parts(cursor, divided) if each + divided.width_s <= older_than_s]
        dropped = 0
        for start in old:
            part = sql.Identifier(part_name(divided, start))
            try:
                with database.writing(lock_s=_DROP_LOCK_S) as cursor:
                    if sole is None or not _exists(cursor, sql.SQL("{} WHERE NOT ({})").format(part, sole)):
                        dropped += _count(cursor, part)
                        cursor.execute(sql.SQL("DROP TABLE {}").format(part))
            except OSError as error:
                if not isinstance(error.__cause__, errors.LockNotAvailable):
                    raise
        return dropped


def part_name(divided: Divided, start: int) -> str:
    """`events_20261121`: by the day (UTC) on which it begins."""
    return f"{divided.table}_{time.strftime('%Y%m%d', time.gmtime(start))}"


def _parts(cursor: Cursor, divided: Divided) -> list[int]:
    """The starts of the parts that there are."""
    cursor.execute(
        "SELECT extract(epoch FROM to_date(right(relname, 8), 'YYYYMMDD'))::bigint FROM pg_inherits "
        "JOIN pg_class ON oid = inhrelid WHERE inhparent = to_regclass(%s) AND relname ~ '_[0-9]{8}$' ORDER BY 1",
        (divided.table,),
    )
    return [int(row[0]) for row in cursor.fetchall()]


_MOVE = (
    "WITH moved AS (DELETE FROM {default} WHERE {column} >= {start} AND {column} < {end} RETURNING *) "
    "INSERT INTO {part} SELECT * FROM moved"
)


def _attach(cursor: Cursor, divided: Divided, start: int) -> None:
    """What the default part has of that time moves along, else the part could not be attached."""
    names = {
        "part": sql.Identifier(part_name(divided, start)),
        "table": sql.Identifier(divided.table),
        "default": sql.Identifier(f"{divided.table}_default"),
        "column": sql.Identifier(divided.column),
        "start": moment(start),
        "end": moment(start + divided.width_s),
    }
    for statement in (
        "CREATE TABLE {part} (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS)",
        _MOVE,
        "ALTER TABLE {table} ATTACH PARTITION {part} FOR VALUES FROM ({start}) TO ({end})",
    ):
        cursor.execute(sql.SQL(statement).format(**names))


def _exists(cursor: Cursor, which: sql.Composable) -> bool:
    row = cursor.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(which)).fetchone()
    return bool(row and row[0])


def _count(cursor: Cursor, table: sql.Composable) -> int:
    row = cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone()
    return int(row[0]) if row else 0
