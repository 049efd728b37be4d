"""Tables divided by time, so that what is old goes without a trace: a whole part at once."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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

    def drop(self, cursor: Cursor, divided: Divided, from_s: float, until_s: float) -> None:
        """Drop the parts that lie within. Waits for who reads them, and new readers wait behind it."""
        ...

    def bytes_used(self, cursor: Cursor, divided: Divided) -> int:
        """On the disk, of the parts that hold anything, with their indexes."""
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

    def drop(self, cursor: Cursor, divided: Divided, from_s: float, until_s: float) -> None:
        for start in _parts(cursor, divided):
            if from_s <= start and start + divided.width_s <= until_s:
                cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(part_name(divided, start))))

    def bytes_used(self, cursor: Cursor, divided: Divided) -> int:
        cursor.execute(
            "SELECT coalesce(sum(pg_total_relation_size(relid)), 0)::bigint FROM pg_partition_tree(to_regclass(%s)) "
            "WHERE isleaf AND pg_relation_size(relid) > 0",
            (divided.table,),
        )
        row = cursor.fetchone()
        return int(row[0]) if row else 0


@contextmanager
def dropping(database: Database) -> Iterator[Cursor]:
    """A transaction that drops parts. Raises `InUse` when somebody reads them for longer than others may wait."""
    try:
        with database.writing(lock_s=_DROP_LOCK_S) as cursor:
            yield cursor
    except OSError as error:
        if isinstance(error.__cause__, errors.LockNotAvailable):
            raise InUse(str(error)) from error
        raise


class InUse(OSError):
    """Somebody reads what is to be dropped: later."""


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
