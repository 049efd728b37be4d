"""The archive's readers in PostgreSQL: questions in the SQL that `adapters.sql` writes for all stores."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg import errors, sql

from foregate.adapters.distributed.postgres.database import READ_TIMEOUT_S, Cursor
from foregate.adapters.distributed.postgres.items import ITEMS, MIGRATIONS, add_columns, divided
from foregate.adapters.distributed.postgres.partitions import moment
from foregate.adapters.distributed.postgres.schema import opened
from foregate.adapters.distributed.postgres.values import text
from foregate.adapters.sql import Dialect, Query, answer_of, page_of, page_query, steps_query, whole_query
from foregate.adapters.sql.paging import check_limit, read_cursor
from foregate.kernel.errors import ForegateError
from foregate.ports.archive import Page
from foregate.wire.accounts import Kind
from foregate.wire.ask import Answer, Ask, Filter

POSTGRES = Dialect("%s", lambda expression, share: f"percentile_disc({share}) WITHIN GROUP (ORDER BY {expression})")
_SLACK_S = 1.0  # `at` has microseconds, an item's time is exact: the parts are looked for with room to spare
_DAYS = (
    "SELECT items, first_s, last_s FROM archive_days "
    "WHERE kind = 'events' AND org = %s AND last_s >= %s AND first_s < %s"
)


class PostgresArchiveReader:
    """Keeps `foregate.ports.archive.ArchiveReader` in the database at `url`. Threads may share it."""

    def __init__(self, url: str, *, timeout_s: float = READ_TIMEOUT_S) -> None:
        """`timeout_s`: of one statement. Raises OSError, and so do all calls."""
        self._timeout_s = timeout_s
        self._db, self._layout = opened(url, "archive", MIGRATIONS, add_columns)

    def ask(self, ask: Ask, *, rows_max: int) -> Answer:
        """Answer from raw events. Raises ForegateError: query_too_large, query_timeout, invalid_parameter."""
        with self._asking() as cursor:
            days = cursor.execute(_DAYS, (text(ask.org), float(ask.from_s), float(ask.until_s))).fetchall()
            read = sum(_share_of(day, ask) for day in days)
            if read > rows_max:
                raise ForegateError(
                    "query_too_large", f"it would look at {read:,} events of the range, and {rows_max:,} is the bound"
                )
            newest_s = _one(cursor, "SELECT max(last_s) FROM archive_days WHERE kind = 'events' AND org = %s", ask.org)
            source = _source(cursor, "events", ask.from_s, ask.until_s)
            whole = _rows(cursor, whole_query(ask, source, POSTGRES))
            steps: Sequence[Any] = ()
            if ask.step_s and whole:
                groups = [row[: len(ask.group_by)] for row in whole]
                steps = _rows(cursor, steps_query(ask, groups, source, POSTGRES))
        return answer_of(ask, whole, steps, read=read, until_s=min(ask.until_s, newest_s or 0.0))

    def scan(
        self,
        kind: Kind,
        org: str,
        from_s: float,
        until_s: float,
        filters: Sequence[Filter] = (),
        *,
        limit: int = 100,
        cursor: str = "",
    ) -> Page:
        """Items, newest first. Raises ForegateError: invalid_parameter, query_timeout."""
        check_limit(limit)
        place = read_cursor(cursor)
        with self._asking() as asking:
            source = _source(asking, kind, from_s, until_s)
            rows = _rows(asking, page_query(kind, org, from_s, until_s, filters, limit, place, source, POSTGRES))
        return page_of(kind, rows, limit, place)

    @contextmanager
    def _asking(self) -> Iterator[Cursor]:
        try:
            with self._db.reading(self._timeout_s) as cursor:
                yield cursor
        except OSError as error:
            if isinstance(error.__cause__, errors.QueryCanceled):
                raise ForegateError("query_timeout", f"it was broken off after {self._timeout_s:g} s") from error
            raise

    def orgs(self) -> Sequence[str]:
        """Whose items there are."""
        with self._db.reading() as cursor:
            cursor.execute("SELECT DISTINCT org FROM archive_days ORDER BY org")
            return [str(row[0]) for row in cursor.fetchall()]

    def items(self, kind: Kind) -> int:
        """How many are stored now."""
        with self._db.reading() as cursor:
            return int(_one(cursor, "SELECT sum(items)::bigint FROM archive_days WHERE kind = %s", kind) or 0)

    def counts(self, kind: Kind) -> dict[str, int]:
        """The accounts of this kind."""
        with self._db.reading() as cursor:
            cursor.execute("SELECT outcome, items FROM archive_counts WHERE kind = %s", (kind,))
            return {str(outcome): int(items) for outcome, items in cursor.fetchall()}

    @property
    def bytes_used(self) -> int:
        """Of the items' tables with their indexes."""
        with self._db.reading() as cursor:
            return sum(self._layout.bytes_used(cursor, each) for each in ITEMS.values())

    def close(self) -> None:
        self._db.close()


def _source(cursor: Cursor, kind: Kind, from_s: float, until_s: float) -> str:
    """What stands after FROM: the parts of that time alone."""
    return (
        sql.SQL("(SELECT * FROM {} WHERE at >= {} AND at < {}) AS items")
        .format(sql.Identifier(divided(kind).table), moment(from_s - _SLACK_S), moment(until_s + _SLACK_S))
        .as_string(cursor)
    )


def _rows(cursor: Cursor, query: Query) -> list[tuple[Any, ...]]:
    values = [text(value) if isinstance(value, str) else value for value in query.params]
    return cursor.execute(sql.SQL(query.sql), values).fetchall()


def _one(cursor: Cursor, query: str, value: str) -> Any:
    row = cursor.execute(sql.SQL(query), (text(value),)).fetchone()
    return row[0] if row else None


def _share_of(day: Sequence[Any], ask: Ask) -> int:
    """About how many of a day's items are of the range: exactly where it holds all of them."""
    items, first_s, last_s = int(day[0]), float(day[1]), float(day[2])
    if last_s <= first_s or (ask.from_s <= first_s and last_s < ask.until_s):
        return items
    covered_s = min(ask.until_s, last_s) - max(ask.from_s, first_s)
    return min(items, int(items * covered_s / (last_s - first_s)) + 1)
