"""The ledger of AI traffic: table `usage`."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from foregate.adapters.distributed.postgres.database import Cursor
from foregate.adapters.distributed.postgres.values import text
from foregate.wire.usage import UsageAnswer, UsageBy, UsageSums

_SUMMED = ("requests", "estimated", "input_tokens", "output_tokens", "cached_tokens", "cost")
_ADDED = ", ".join(f"{name} = usage.{name} + excluded.{name}" for name in _SUMMED)
_ADD = (
    f"INSERT INTO usage VALUES ({', '.join(['%s'] * (4 + len(_SUMMED)))}) "  # noqa: S608 - our own names
    f"ON CONFLICT (hour_s, md5(key_id), md5(service), md5(model)) DO UPDATE SET {_ADDED}"
)
_SUMS = ", ".join(f"coalesce(sum({name}), 0)::{'float8' if name == 'cost' else 'bigint'}" for name in _SUMMED)
_RANGE = "FROM usage WHERE hour_s >= %s AND hour_s < %s"
_BY: Mapping[UsageBy, str] = {
    "key": "key_id",
    "model": "service || '/' || model",
    "service": "service",
    "hour": "hour_s::text",
}


def add(cursor: Cursor, rows: Sequence[Sequence[Any]]) -> None:
    """Rows of key and sums."""
    if rows:
        cursor.executemany(
            sql.SQL(_ADD),
            [[text(value) if isinstance(value, str) else value for value in row] for row in rows],
        )


def expire(cursor: Cursor, older_than_s: float) -> int:
    """Delete hours that began earlier. Returns how many rows."""
    return cursor.execute("DELETE FROM usage WHERE hour_s < %s", (older_than_s,)).rowcount


def used(cursor: Cursor, by: UsageBy, from_s: float, until_s: float, rows_max: int) -> UsageAnswer:
    """See `SeriesReader.usage`."""
    order = "min(hour_s)" if by == "hour" else "7 DESC, 4 DESC, 1"
    cursor.execute(
        sql.SQL(f"SELECT {_BY[by]}, {_SUMS} {_RANGE} GROUP BY 1 ORDER BY {order} LIMIT %s"),
        (from_s, until_s, rows_max),
    )
    rows = [(str(row[0]), UsageSums(*row[1:])) for row in cursor.fetchall()]
    cursor.execute(sql.SQL(f"SELECT {_SUMS} {_RANGE}"), (from_s, until_s))
    total = cursor.fetchone()
    return UsageAnswer(rows, UsageSums(*total) if total else UsageSums())
