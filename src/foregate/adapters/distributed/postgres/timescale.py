"""The same with TimescaleDB's hypertables, which make their parts (chunks) by themselves.

No more of TimescaleDB is used than these three functions, so that all else is the same in either layout. Compression
is left to a policy of its owner's: it pays for single events, and stands in docs/guides/postgresql.md.
"""

from collections.abc import Iterable

from psycopg import sql

from foregate.adapters.distributed.postgres.database import Cursor, Database
from foregate.adapters.distributed.postgres.partitions import Divided, moment


class Timescale:
    """Chunks are dropped only where nobody else's rows are asked after: `sole` leaves them to DELETE."""

    def divide(self, cursor: Cursor, divided: Divided, columns: sql.Composable) -> None:
        for statement in created(divided, columns):
            cursor.execute(statement)

    def prepare(self, cursor: Cursor, divided: Divided, starts: Iterable[int]) -> None:
        return

    def drop(self, database: Database, divided: Divided, older_than_s: float, sole: sql.Composable | None) -> int:
        if sole is not None:
            return 0
        with database.writing() as cursor:
            cursor.execute(counted(divided, older_than_s))
            row = cursor.fetchone()
            cursor.execute(dropped(divided, older_than_s))
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


def counted(divided: Divided, older_than_s: float) -> sql.Composed:
    """How many rows `dropped` will drop: chunks go whole, by their end."""
    return sql.SQL("SELECT count(*) FROM {} WHERE {} < {}").format(
        sql.Identifier(divided.table), sql.Identifier(divided.column), moment(divided.part_of(older_than_s))
    )


def dropped(divided: Divided, older_than_s: float) -> sql.Composed:
    """`drop_chunks` of what ends by the start of the part that holds `older_than_s`."""
    return sql.SQL("SELECT drop_chunks({}, older_than => {})").format(
        sql.Literal(divided.table), moment(divided.part_of(older_than_s))
    )
