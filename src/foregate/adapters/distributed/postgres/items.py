"""The tables of the archive: one per kind, a column per field of its message, in parts by day.

`at` is an item's time for people and parts, to the microsecond; the message's own time is beside it, exact.
"""

import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from psycopg import sql

from foregate.adapters.distributed.postgres.database import Cursor, Database
from foregate.adapters.distributed.postgres.partitions import TIME_S_MAX, Divided, Layout
from foregate.adapters.distributed.postgres.schema import Migration, alone, statements
from foregate.adapters.distributed.postgres.values import integer, text
from foregate.adapters.sql.columns import PER_SECOND, TIMES, Column, Type, columns
from foregate.kernel.errors import ForegateError
from foregate.wire.accounts import Kind

DAY_S = 86_400
ITEMS: dict[Kind, Divided] = {kind: Divided(kind, "at", DAY_S) for kind in ("events", "spans", "points")}
_TYPES: dict[Type, str] = {
    "text": 'text COLLATE "C" NOT NULL',
    "integer": "bigint NOT NULL",
    "real": "double precision NOT NULL",
    "boolean": "boolean NOT NULL",
    "json": "text",
}
_OTHERS = """
    CREATE TABLE archive_days (
        kind text, org text COLLATE "C", day integer, items bigint NOT NULL, first_s double precision NOT NULL,
        last_s double precision NOT NULL, PRIMARY KEY (kind, org, day)
    );
    CREATE TABLE archive_offsets (
        topic text, partition integer, read_to bigint NOT NULL, PRIMARY KEY (topic, partition)
    );
    CREATE TABLE archive_counts (
        kind text, outcome text, items bigint NOT NULL, PRIMARY KEY (kind, outcome)
    )
"""
_encode = msgspec.json.Encoder().encode


def divided(kind: Kind) -> Divided:
    """Raises ForegateError("invalid_parameter") for logs, which are kept elsewhere."""
    if kind not in ITEMS:
        raise ForegateError("invalid_parameter", f"{kind} are not in the archive")
    return ITEMS[kind]


def _tables(cursor: Cursor, layout: Layout) -> None:
    for kind, each in ITEMS.items():
        named = sql.SQL(", ").join([_named(column) for column in columns(kind)])
        layout.divide(cursor, each, sql.SQL("at timestamptz NOT NULL, {}").format(named))
        table = sql.Identifier(each.table)
        cursor.execute(sql.SQL("CREATE INDEX ON {} (org, {})").format(table, sql.Identifier(TIMES[kind])))
        cursor.execute(sql.SQL("CREATE INDEX ON {} USING brin (at)").format(table))


MIGRATIONS: tuple[Migration, ...] = (statements(_OTHERS), _tables)


def add_columns(database: Database) -> None:
    """A field that a message has got since the tables were made is a column more; older items have its default."""
    with database.reading() as cursor:
        missing = list(_missing(cursor))
    if not missing:
        return
    with database.writing() as cursor:
        alone(cursor, "schema")
        for table, column in _missing(cursor):
            default = column.stored_default
            cursor.execute(
                sql.SQL("ALTER TABLE {} ADD COLUMN {} DEFAULT {}").format(
                    sql.Identifier(table), _named(column), sql.Literal(default)
                )
            )


def _missing(cursor: Cursor) -> Iterator[tuple[str, Column]]:
    for kind, each in ITEMS.items():
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped",
            (each.table,),
        )
        there = {str(row[0]) for row in cursor.fetchall()}
        yield from ((each.table, column) for column in columns(kind) if column.name not in there)


def _named(column: Column) -> sql.Composable:
    return sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(_TYPES[column.type]))


def time_of(kind: Kind, item: Any) -> float:
    """Unix seconds, within what a timestamptz holds."""
    return float(min(max(getattr(item, TIMES[kind]) / PER_SECOND[kind], 0.0), TIME_S_MAX))


def copy(cursor: Cursor, kind: Kind, items: Sequence[Any], times_s: Sequence[float]) -> None:
    """`times_s`: their `time_of`. The parts must be there."""
    of = columns(kind)
    names = sql.SQL(", ").join([sql.Identifier("at"), *(sql.Identifier(column.name) for column in of)])
    convert = [_CONVERTED.get(column.type) for column in of]
    with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(ITEMS[kind].table), names)) as out:
        for item, time_s in zip(items, times_s, strict=True):
            values = msgspec.structs.astuple(item)
            row = [to(value) if to else value for to, value in zip(convert, values, strict=True)]
            out.write_row([_at(time_s), *row])


def _json(value: Any) -> str | None:
    """As text: a NUL in it is an escape, which text can hold."""
    if not value:
        return None
    return _encode(msgspec.structs.asdict(value) if isinstance(value, msgspec.Struct) else value).decode()


_CONVERTED: dict[str, Any] = {"text": text, "integer": integer, "json": _json, "real": float}


def _at(time_s: float) -> str:
    seconds = int(time_s)
    return f"{_second(seconds)}.{min(int((time_s - seconds) * 1e6), 999_999):06}+00"


@lru_cache(10_000)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds))
