"""The archive's writer in PostgreSQL: single items by COPY, together with the offsets they cover.

`archive_days` says how many items there are of each kind, organisation and day: what a question costs, who has any,
and which days can be dropped whole are known without looking at the items.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg import sql

from foregate.adapters.distributed.postgres.database import Cursor
from foregate.adapters.distributed.postgres.items import (
    DAY_S,
    ITEMS,
    MIGRATIONS,
    add_columns,
    copy,
    divided,
    time_of,
)
from foregate.adapters.distributed.postgres.offsets import Offsets
from foregate.adapters.distributed.postgres.partitions import InUse, dropping, moment
from foregate.adapters.distributed.postgres.schema import alone, opened
from foregate.adapters.distributed.postgres.values import text
from foregate.adapters.sql.columns import PER_SECOND, TIMES
from foregate.wire.accounts import Kind

_TRIM_TO = 0.95
_ADD_DAYS = (
    "INSERT INTO archive_days SELECT %s, * FROM unnest(%s::text[], %s::integer[], %s::bigint[], %s::float8[], "
    "%s::float8[]) ON CONFLICT (kind, org, day) DO UPDATE SET items = archive_days.items + excluded.items, "
    "first_s = least(archive_days.first_s, excluded.first_s), last_s = greatest(archive_days.last_s, excluded.last_s)"
)
_ADD_COUNTS = (
    "INSERT INTO archive_counts SELECT %s, * FROM unnest(%s::text[], %s::bigint[]) "
    "ON CONFLICT (kind, outcome) DO UPDATE SET items = archive_counts.items + excluded.items"
)
_CUT_DAY = "UPDATE archive_days SET items = items - %s, first_s = %s WHERE kind = %s AND org = %s AND day = %s"
_OTHERS = "SELECT count(*) FROM archive_days WHERE kind = %s AND org <> %s AND day = %s"
_AFTER_OLDER = "SELECT max(day) + 1 FROM archive_days WHERE kind = %s AND day < %s"
_OLDEST = "SELECT kind, day, sum(items)::bigint FROM archive_days GROUP BY kind, day ORDER BY day, kind LIMIT 1"


class PostgresArchive:
    """Keeps `foregate.ports.archive.ArchiveWriter` in the database at `url`. Threads may share it.

    Raises OSError when it is opened and at every call: see `failures`.
    """

    def __init__(self, url: str) -> None:
        self._db, self._layout = opened(url, "archive", MIGRATIONS, add_columns)
        self._offsets = Offsets(self._db, "archive_offsets")
        self._writer = threading.Lock()  # of what follows
        self._ready: set[tuple[Kind, int]] = set()  # kinds and days whose parts are there

    def append(
        self, kind: Kind, items: Sequence[Any], topic: str, offsets: Mapping[int, int], counts: Mapping[str, int]
    ) -> None:
        """Store the items and the offsets they cover, durably, all or nothing. Raises OSError."""
        times_s = [time_of(kind, item) for item in items]
        moved = {(topic, partition): offset for partition, offset in offsets.items()}
        with self._writing() as (cursor, ready):
            if not self._offsets.move(cursor, moved):
                self._offsets.done(moved)
                return
            ready |= self._prepare(cursor, kind, {int(time_s // DAY_S) for time_s in times_s})
            if items:
                copy(cursor, kind, items, times_s)
                _add_days(cursor, kind, items, times_s)
            _add_counts(cursor, kind, {**counts, "accepted": len(items)})
        self._offsets.done(moved)

    @contextmanager
    def _writing(self) -> Iterator[tuple[Cursor, set[tuple[Kind, int]]]]:
        """One transaction at a time, over all processes. What is added to the set is ready once it is committed."""
        with self._writer:
            ready: set[tuple[Kind, int]] = set()
            with self._db.writing() as cursor:
                alone(cursor, "archive")
                yield cursor, ready
            self._ready |= ready

    def _prepare(self, cursor: Cursor, kind: Kind, days: set[int]) -> set[tuple[Kind, int]]:
        """The parts that are needed, and the one behind them: made before it is."""
        needed = days | ({max(days) + 1} if days else set())
        missing = {day for day in needed if (kind, day) not in self._ready}
        if missing:
            self._layout.prepare(cursor, divided(kind), [day * DAY_S for day in missing])
        return {(kind, day) for day in missing}

    def offsets(self, topic: str) -> dict[int, int]:
        """Partition → last offset whose items are stored."""
        return self._offsets.read(topic)

    def orgs(self) -> Sequence[str]:
        """Whose items there are."""
        with self._db.reading() as cursor:
            cursor.execute("SELECT DISTINCT org FROM archive_days ORDER BY org")
            return [str(row[0]) for row in cursor.fetchall()]

    def compact(self) -> int:
        """Nothing to do: the server tidies up by itself (autovacuum)."""
        return 0

    def expire(self, kind: Kind, org: str, older_than_s: float) -> int:
        """Days that nobody else has items of are dropped whole, which frees their disk at once; of others the rows are
        deleted, and their room is used again. What somebody is reading is left to the next time."""
        with self._db.reading() as cursor:
            cursor.execute(
                "SELECT day FROM archive_days WHERE kind = %s AND org = %s AND first_s < %s ORDER BY day",
                (kind, text(org), float(older_than_s)),
            )
            days = [int(row[0]) for row in cursor.fetchall()]
        gone = 0
        for day in days:
            try:
                gone += self._expire_day(kind, text(org), day, older_than_s)
            except InUse:
                continue
        return gone

    def _expire_day(self, kind: Kind, org: str, day: int, older_than_s: float) -> int:
        end_s = (day + 1) * DAY_S
        with self._writer, dropping(self._db) as cursor:
            alone(cursor, "archive")
            if end_s <= older_than_s and not _number(cursor, _OTHERS, (kind, org, day)):
                return self._drop_day(cursor, kind, day)
            border = float(min(end_s, older_than_s))
            query = sql.SQL("DELETE FROM {} WHERE org = {} AND at >= {} AND at < {} AND {} < {}").format(
                sql.Identifier(divided(kind).table),
                sql.Literal(org),
                moment(day * DAY_S),
                moment(end_s),
                sql.Identifier(TIMES[kind]),
                sql.Literal(border * PER_SECOND[kind]),
            )
            gone = cursor.execute(query).rowcount
            cursor.execute(_CUT_DAY, (gone, border, kind, org, day))
            cursor.execute("DELETE FROM archive_days WHERE items <= 0 AND kind = %s AND day = %s", (kind, day))
        return gone

    def _drop_day(self, cursor: Cursor, kind: Kind, day: int) -> int:
        """All of a kind's items of a day, whoever's, and the empty parts before it. Returns how many."""
        items = _number(cursor, "SELECT sum(items)::bigint FROM archive_days WHERE kind = %s AND day = %s", (kind, day))
        first = _number(cursor, _AFTER_OLDER, (kind, day))
        self._layout.drop(cursor, divided(kind), first * DAY_S, (day + 1) * DAY_S)
        self._ready = {part for part in self._ready if part[0] != kind}
        cursor.execute(
            sql.SQL("DELETE FROM {} WHERE at >= {} AND at < {}").format(
                sql.Identifier(divided(kind).table), moment(day * DAY_S), moment((day + 1) * DAY_S)
            )
        )
        cursor.execute("DELETE FROM archive_days WHERE kind = %s AND day = %s", (kind, day))
        return items

    def trim(self, bytes_max: int) -> int:
        """When more is used, drop the oldest days until it is 5 % less; their items count as trimmed."""
        gone = 0
        border = float(bytes_max)
        while self._bytes_used() > border:
            border = _TRIM_TO * bytes_max
            with self._writer, dropping(self._db) as cursor:
                alone(cursor, "archive")
                oldest = cursor.execute(_OLDEST).fetchone()
                if oldest is None:
                    break
                kind, day, items = oldest
                self._drop_day(cursor, kind, int(day))
                _add_counts(cursor, kind, {"trimmed": int(items)})
            gone += int(items)
        return gone

    def _bytes_used(self) -> int:
        with self._db.reading() as cursor:
            return sum(self._layout.bytes_used(cursor, each) for each in ITEMS.values())

    def close(self) -> None:
        self._db.close()


def _add_days(cursor: Cursor, kind: Kind, items: Sequence[Any], times_s: Sequence[float]) -> None:
    days: dict[tuple[str, int], list[float]] = {}
    for item, time_s in zip(items, times_s, strict=True):
        days.setdefault((text(item.org), int(time_s // DAY_S)), []).append(time_s)
    orgs, numbers = [org for org, _ in days], [day for _, day in days]
    of = days.values()
    cursor.execute(_ADD_DAYS, (kind, orgs, numbers, list(map(len, of)), list(map(min, of)), list(map(max, of))))


def _add_counts(cursor: Cursor, kind: Kind, counts: Mapping[str, int]) -> None:
    given = {outcome: items for outcome, items in counts.items() if items}
    if given:
        cursor.execute(_ADD_COUNTS, (kind, list(given), list(given.values())))


def _number(cursor: Cursor, query: str, values: Sequence[Any]) -> int:
    row = cursor.execute(sql.SQL(query), values).fetchone()
    return int(row[0] or 0) if row else 0
