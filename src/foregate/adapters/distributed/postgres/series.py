"""The series store in PostgreSQL: one row per window, its numbers as columns, its sketches as bytes.

Windows, the bus offsets they cover and the accounts change in one transaction. Writers take turns; readers see whole
transactions and wait for nobody.
"""

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from msgspec.structs import astuple
from psycopg import sql

from foregate.adapters.distributed.postgres import ledger, totals
from foregate.adapters.distributed.postgres.database import READ_TIMEOUT_S, Cursor
from foregate.adapters.distributed.postgres.offsets import Offsets
from foregate.adapters.distributed.postgres.partitions import TIME_S_MIN, InUse, dropping, moment
from foregate.adapters.distributed.postgres.schema import alone, opened
from foregate.adapters.distributed.postgres.tables import MIGRATIONS, NUMBERS, WINDOWS
from foregate.adapters.distributed.postgres.values import text
from foregate.adapters.distributed.postgres.windows import (
    NUMBER_COLUMNS,
    SKETCH_COLUMNS,
    Part,
    Putting,
    between,
    digest,
    stats_of,
)
from foregate.ports.series import Merge, Number, Sketches
from foregate.wire import TOPIC_EVENTS
from foregate.wire.entity import Entity
from foregate.wire.usage import Usage, UsageAnswer, UsageBy
from foregate.wire.window import ROLLED_UP_FROM, StoredWindow

_EXPIRE_ROWS_MAX = 5_000  # per transaction
_ADD_COUNTS = (
    "INSERT INTO series_counts SELECT * FROM unnest(%s::text[], %s::bigint[]) "
    "ON CONFLICT (outcome) DO UPDATE SET items = series_counts.items + excluded.items"
)
_STALE = (
    "DELETE FROM stale WHERE (span_s, start_s, entity) IN (SELECT span_s, start_s, entity FROM stale "
    "WHERE span_s = (SELECT min(span_s) FROM stale) ORDER BY mark LIMIT %s) RETURNING span_s, start_s, entity"
)
_START = "extract(epoch FROM start_at)::float8"
_NAMES = "org, service, route, environment"
_FIRST = f"ORDER BY {_NAMES}, start_at LIMIT %s"
_SCANNED_PER_S = 10_000  # windows, at least: who asks for millions may wait longer than others
_READ: Mapping[Sketches, str] = {
    "none": "''::bytea, ''::bytea, ''::bytea",
    "latency": "latency, ''::bytea, ''::bytea",
    "all": SKETCH_COLUMNS,
}
_OF_SOME = "AND entity IN (SELECT id FROM entities WHERE digest = ANY(%s::bytea[]))"


class PostgresSeries:
    """Keeps `SeriesWriter` and `SeriesReader` of `foregate.ports.series` in the database at `url`.

    Threads may share one. Raises OSError when it is opened and at every call: see `failures`.
    """

    def __init__(self, url: str) -> None:
        self._db, self._layout = opened(url, "series", MIGRATIONS)
        self._offsets = Offsets(self._db, "series_offsets")
        self._writer = threading.Lock()  # of what follows
        self._ids: dict[Entity, int] = {}  # as many as there are entities in the store, which retention bounds
        self._ready: set[Part] = set()
        self._names: dict[int, Entity] = {}  # as many; read and written by all threads

    def append(
        self,
        windows: Sequence[StoredWindow],
        offsets: Mapping[tuple[str, int], int],
        counts: Mapping[str, int],
        usage: Sequence[Usage] = (),
    ) -> None:
        """Upsert windows, set offsets and add to the accounts and the ledger in one transaction."""
        with self._writing() as (cursor, putting):
            if not self._offsets.move(cursor, offsets):
                self._offsets.done(offsets)
                return
            putting.put(windows)
            if counts:
                cursor.execute(_ADD_COUNTS, (list(counts), list(counts.values())))
            ledger.add(cursor, [astuple(row.key) + astuple(row.sums) for row in usage])
        self._offsets.done(offsets)

    @contextmanager
    def _writing(self) -> Iterator[tuple[Cursor, Putting]]:
        """One transaction at a time, over all processes: two that upsert the same rows in another order would block
        each other."""
        with self._writer:
            with self._db.writing() as cursor:
                alone(cursor, "series")
                putting = Putting(cursor, self._layout, self._ids, self._ready)
                yield cursor, putting
                totals.mark(cursor, putting.changed_quarters_s)
            self._ids |= putting.new_ids
            self._ready |= putting.new_ready

    def offsets(self, topic: str = TOPIC_EVENTS) -> dict[int, int]:
        """Partition → last offset whose events are in the stored windows."""
        return self._offsets.read(topic)

    def roll_up(self, merge: Merge, windows_max: int) -> int:
        """Make what is stale anew, in one transaction: hours before days, what has been stale for longest first."""
        if not self._query("SELECT FROM stale LIMIT 1"):
            self._total_up(merge, windows_max)
            return 0
        with self._writing() as (cursor, putting):
            # The marks go first: an hour that changes here marks its day again.
            cursor.execute(_STALE, (windows_max,))
            stale = [(int(span_s), int(start_s), int(entity)) for span_s, start_s, entity in cursor.fetchall()]
            if stale:  # where all parts have expired, what was made of them stays until it expires itself
                putting.put(merge(parts, span_s, start_s) for span_s, start_s, parts in _parts(cursor, stale))
        return len(stale)

    def _total_up(self, merge: Merge, windows_max: int) -> None:
        """Quarters of hours, each with its hour's and its day's, in one transaction."""
        with self._db.reading() as cursor:  # asked without taking the turn of a writer
            if totals.next_quarter(cursor) is None:
                return
        merged = 0
        with self._writing() as (cursor, _):
            while merged < windows_max and (made := totals.make_totals(cursor, merge)):
                merged += made

    def newest_s(self, span_s: int) -> float | None:
        """The start of the newest window of this span, None when there is none."""
        ((newest,),) = self._query(
            "SELECT extract(epoch FROM max(start_at))::float8 FROM {table}", table=_table(span_s)
        )
        return None if newest is None else float(newest)

    def expire(self, span_s: int, older_than_s: float, *, org: str | None = None) -> int:
        """Drop what parts of the table are older as a whole, then delete some thousand rows per transaction."""
        of = sql.SQL("TRUE")
        if org is not None:
            of = sql.SQL("entity IN (SELECT id FROM entities WHERE org = {})").format(sql.Literal(org))  # type: ignore[assignment]
        try:
            deleted = self._drop(span_s, older_than_s) if org is None else 0
        except InUse:  # deleting row by row would free no disk
            return 0
        query = sql.SQL(
            "DELETE FROM {table} WHERE (start_at, entity) IN "
            "(SELECT start_at, entity FROM {table} WHERE start_at < {end} AND {of} LIMIT {rows})"
        ).format(table=_table(span_s), end=moment(older_than_s), of=of, rows=sql.Literal(_EXPIRE_ROWS_MAX))
        while True:
            with self._writer, self._db.writing() as cursor:
                gone = cursor.execute(query).rowcount
            deleted += gone
            if gone < _EXPIRE_ROWS_MAX:
                break
        with self._writer, self._db.writing() as cursor:
            totals.expire(cursor, span_s, older_than_s, org)
        return deleted

    def _drop(self, span_s: int, older_than_s: float) -> int:
        """Parts that are older as a whole. Returns how many windows that were."""
        divided = WINDOWS[span_s]
        end = moment(divided.part_of(older_than_s))
        query = sql.SQL("SELECT count(*) FROM {} WHERE start_at < {}").format(_table(span_s), end)
        with self._writer, dropping(self._db) as cursor:
            row = cursor.execute(query).fetchone()
            if row is None or not row[0]:
                return 0
            self._layout.drop(cursor, divided, TIME_S_MIN, divided.part_of(older_than_s))
            self._ready.clear()
            cursor.execute(sql.SQL("DELETE FROM {} WHERE start_at < {}").format(_table(span_s), end))
        return int(row[0])

    def expire_usage(self, older_than_s: float) -> int:
        """Delete what the ledger has of hours that began before `older_than_s`."""
        with self._db.writing() as cursor:
            return ledger.expire(cursor, older_than_s)

    def scan(
        self,
        span_s: int,
        from_s: float,
        until_s: float,
        *,
        entity: Entity | None = None,
        entities: Collection[Entity] | None = None,
        rows_max: int = 50_000,
        sketches: Sketches = "all",
    ) -> list[StoredWindow]:
        """Windows with from_s ≤ start < until_s, ordered by (entity, start); the first `rows_max` of them."""
        some = [entity] if entity is not None else None if entities is None else list(entities)
        given = [] if some is None else [[digest(each) for each in some]]
        wanted = sql.SQL(
            f"SELECT entity, {_START}, {NUMBER_COLUMNS}, {_READ[sketches]} FROM {{}} "  # noqa: S608
            f"JOIN entities ON id = entity WHERE {{}} {'' if some is None else _OF_SOME} "
        ).format(_table(span_s), between(from_s, until_s))
        with self._db.reading(READ_TIMEOUT_S + rows_max / _SCANNED_PER_S) as cursor:
            # Sorted here, where one number stands for four names; the server only has to when it leaves some out.
            rows = cursor.execute(wanted + sql.SQL("LIMIT %s"), (*given, rows_max + 1)).fetchall()
            if len(rows) > rows_max:
                rows = cursor.execute(wanted + sql.SQL(_FIRST), (*given, rows_max)).fetchall()
            names = self._named(cursor, {row[0] for row in rows})
        rank = {number: at for at, number in enumerate(sorted(names, key=names.__getitem__))}
        rows.sort(key=lambda row: (rank[row[0]], row[1]))
        end = 2 + len(NUMBERS)
        return [StoredWindow(names[row[0]], stats_of(span_s, row[1], row[2:end]), *row[end:]) for row in rows]

    def _named(self, cursor: Cursor, numbers: set[int]) -> dict[int, Entity]:
        """The entities of these numbers; they never change."""
        unknown = [number for number in numbers if number not in self._names]
        if unknown:
            cursor.execute(f"SELECT id, {_NAMES} FROM entities WHERE id = ANY(%s::bigint[])", (unknown,))  # noqa: S608
            self._names |= {int(row[0]): Entity(*row[1:]) for row in cursor.fetchall()}
        return {number: self._names[number] for number in numbers}

    def entities(self, org: str | None = None) -> list[Entity]:
        """Of whom there are (or were) windows."""
        which, of = ("TRUE", ()) if org is None else ("org = %s", (text(org),))
        rows = self._query(f"SELECT {_NAMES} FROM entities WHERE {which} ORDER BY {_NAMES}", of)  # noqa: S608
        return [Entity(*row) for row in rows]

    def sums(
        self,
        number: Number,
        span_s: int,
        from_s: float,
        until_s: float,
        *,
        org: str | None = None,
        rows_max: int = 1_000_000,
    ) -> list[tuple[Entity, float]]:
        """One number per entity, added up by the server."""
        with self._db.reading() as cursor:
            return totals.sums(cursor, number, span_s, from_s, until_s, org, rows_max)

    def totals(self, span_s: int, from_s: float, until_s: float, *, org: str | None = None) -> list[StoredWindow]:
        """The windows of all routes together."""
        with self._db.reading() as cursor:
            return totals.totals(cursor, span_s, from_s, until_s, org)

    def stale(self, from_s: float, until_s: float, span_s: int = 3_600) -> list[float]:
        """Starts of hours that are not rolled up, or of quarters without totals."""
        with self._db.reading() as cursor:
            return totals.stale(cursor, from_s, until_s, span_s)

    def usage(self, by: UsageBy, from_s: float, until_s: float, *, rows_max: int = 1_000) -> UsageAnswer:
        """The ledger of AI traffic, added up; the first `rows_max` of it, and the total of all."""
        with self._db.reading() as cursor:
            return ledger.used(cursor, by, from_s, until_s, rows_max)

    def counts(self) -> dict[str, int]:
        """The telemetry accounts: outcome → items, since ever."""
        return {str(outcome): int(items) for outcome, items in self._query("SELECT outcome, items FROM series_counts")}

    def close(self) -> None:
        self._db.close()

    def _query(self, query: str, values: Sequence[Any] = (), **names: sql.Composable) -> list[tuple[Any, ...]]:
        with self._db.reading() as cursor:
            return cursor.execute(sql.SQL(query).format(**names), values).fetchall()


def _table(span_s: int) -> sql.Identifier:
    return sql.Identifier(WINDOWS[span_s].table)


def _parts(cursor: Cursor, stale: Sequence[tuple[int, int, int]]) -> Iterator[tuple[int, float, list[StoredWindow]]]:
    """(span, start, windows to be merged in order of time) of each, all of one span; nothing where there are none."""
    span_s = stale[0][0]
    part_s = ROLLED_UP_FROM[span_s]
    starts = [start_s for _, start_s, _ in stale]
    query = sql.SQL(
        f"SELECT stale.start_s, {_NAMES}, {_START}, {NUMBER_COLUMNS}, {SKETCH_COLUMNS} FROM {{table}} AS part "  # noqa: S608
        "JOIN unnest(%s::bigint[], %s::bigint[]) AS stale (start_s, entity) ON part.entity = stale.entity "
        "AND start_at >= to_timestamp(stale.start_s) AND start_at < to_timestamp(stale.start_s + {span}) "
        "JOIN entities ON id = part.entity WHERE {between} ORDER BY part.entity, start_at"
    ).format(table=_table(part_s), span=sql.Literal(span_s), between=between(min(starts), max(starts) + span_s))
    cursor.execute(query, (starts, [entity for _, _, entity in stale]))
    found: dict[tuple[Entity, int], list[StoredWindow]] = {}
    end = 6 + len(NUMBERS)
    for row in cursor.fetchall():
        entity = Entity(*row[1:5])
        window = StoredWindow(entity, stats_of(part_s, row[5], row[6:end]), *row[end:])
        found.setdefault((entity, int(row[0])), []).append(window)
    for (_, start_s), windows in found.items():
        yield span_s, float(start_s), windows
