"""The same with TimescaleDB's hypertables, which make their parts (chunks) by themselves.

No more of TimescaleDB is used than these functions, so that all else is the same in either layout. Compression
is left to a policy of its owner's: it pays for single events, and stands in docs/guides/postgresql.md.
"""

from collections.abc import Iterable

from psycopg import sql

from foregate.adapters.distributed.postgres.database import Cursor
from foregate.adapters.distributed.postgres.partitions import Divided, moment


class Timescale:
    """A `Layout`."""

    def divide(self, cursor: Cursor, divided: Divided, columns: sql.Composable) -> None:
        for statement in created(divided, columns):
            cursor.execute(statement)

    def prepare(self, cursor: Cursor, divided: Divided, starts: Iterable[int]) -> None:
        return

    def drop(self, cursor: Cursor, divided: Divided, from_s: float, until_s: float) -> None:
        cursor.execute(dropped(divided, from_s, until_s))

    def bytes_used(self, cursor: Cursor, divided: Divided) -> int:
        row = cursor.execute(measured(divided)).fetchone()
        return int(row[0]) if row else 0


def created(divided: Divided, columns: sql.Composable) -> tuple[sql.Composed, sql.Composed]:
    """`create_hypertable` with chunks of the same width as the native parts."""
    return (
        sql.SQL("CREATE TABLE {} ({})").format(sql.Identifier(divided.table), columns),
        sql.SQL(
            "SELECT create_hypertable({}, {}, chunk_time_interval => make_interval(secs => {}), "
            "create_default_indexes => false)"
        ).format(sql.Literal(divided.table), sql.Literal(divided.column), sql.Literal(divided.width_s)),
    )


def dropped(divided: Divided, from_s: float, until_s: float) -> sql.Composed:
    """`drop_chunks` of what lies within."""
    return sql.SQL("SELECT drop_chunks({}, older_than => {}, newer_than => {})").format(
        sql.Literal(divided.table), moment(until_s), moment(from_s)
    )


def measured(divided: Divided) -> sql.Composed:
    """`hypertable_size`: of all chunks with their indexes."""
    return sql.SQL("SELECT coalesce(hypertable_size({}), 0)").format(sql.Literal(divided.table))
