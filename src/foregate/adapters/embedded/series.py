"""The series store on one machine: an SQLite file, one writer beside many readers.

A window is a row of its numbers and latencies, and one of its details: what is rarely asked for is not read.

Windows, the bus offsets they cover and the accounts change in one transaction. A commit survives kill -9; after a power
loss the newest transactions may be missing as a whole, and the bus, which is durable, is simply read again from the
older offsets.
"""

import json
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import astuple

from foregate.adapters.embedded import series_totals
from foregate.adapters.embedded.database import failures_of, open_database, transaction
from foregate.adapters.embedded.series_schema import MIGRATIONS
from foregate.ports.series import Merge, Number, Sketches
from foregate.wire import TOPIC_EVENTS
from foregate.wire.entity import Entity
from foregate.wire.usage import Usage, UsageAnswer, UsageBy, UsageSums
from foregate.wire.window import ROLLED_UP_FROM, StoredWindow, WindowStats

_EXPIRE_ROWS_MAX = 5_000  # per transaction

_UPSERT = (
    "INSERT INTO windows VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "stats = excluded.stats, latency = excluded.latency"
)
_UPSERT_DETAILS = (
    "INSERT INTO details VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "upstream = excluded.upstream, facets = excluded.facets"
)
_DELETE = "DELETE FROM {table} WHERE span_s = ? AND start_s = ? AND entity = ?"
_MARK = "INSERT INTO stale (span_s, start_s, entity) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_STALE = (
    "SELECT mark, span_s, start_s, entity, org, service, route, environment FROM stale JOIN entities ON id = entity "
    "{which} ORDER BY mark LIMIT ?"
)
_STALE_AND_OVER, _STALE = _STALE.format(which="WHERE start_s + span_s <= ?"), _STALE.format(which="")
_PARTS = (
    "SELECT stats, latency, upstream, facets FROM windows INDEXED BY windows_by_entity "
    "CROSS JOIN details USING (span_s, start_s, entity) "
    "WHERE entity = ? AND span_s = ? AND start_s >= ? AND start_s < ? ORDER BY start_s"
)
_SCAN = (
    "SELECT entity, stats, {columns} FROM windows {indexed} {joined} "
    "WHERE span_s = ? AND start_s >= ? AND start_s < ? {which} LIMIT ?"
)
_READ: Mapping[Sketches, tuple[str, str]] = {  # columns, and from where besides
    "none": ("x'', x'', x''", ""),
    "latency": ("latency, x'', x''", ""),
    "all": ("latency, upstream, facets", "CROSS JOIN details USING (span_s, start_s, entity)"),
}
_ADD_USAGE = (
    "INSERT INTO usage VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
    "requests = requests + excluded.requests, estimated = estimated + excluded.estimated, "
    "input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens, "
    "cached_tokens = cached_tokens + excluded.cached_tokens, cost = cost + excluded.cost"
)
_SUMS = "sum(requests), sum(estimated), sum(input_tokens), sum(output_tokens), sum(cached_tokens), sum(cost)"
_USED = f"SELECT {{by}}, {_SUMS} FROM usage WHERE hour_s >= ? AND hour_s < ? GROUP BY 1 ORDER BY {{order}} LIMIT ?"  # noqa: S608
_USED_BY: Mapping[UsageBy, str] = {
    "key": "key_id",
    "model": "service || '/' || model",
    "service": "service",
    "hour": "CAST(hour_s AS TEXT)",
}
_ROLLED_INTO = {part_s: span_s for span_s, part_s in ROLLED_UP_FROM.items()}
_Stale = tuple[int, int, int, int, str, str, str, str]  # mark, span, start, number of the entity, its names
_Row = tuple[int, float, int, bytes, bytes, bytes, bytes]
_OF_ONE = "AND org = ? AND service = ? AND route = ? AND environment = ?"
_OF_SOME = "AND entity IN (SELECT value FROM json_each(?))"
_BY_ENTITY = "INDEXED BY windows_by_entity"  # of few: else SQLite reads the windows of all, and leaves out most
_FEW = 16  # this share of all entities is few: a row found by the index costs as much as some 30 in a row
_NAMES = "org, service, route, environment"

_encode_stats = msgspec.msgpack.Encoder().encode
_decode_stats = msgspec.msgpack.Decoder(WindowStats).decode
_decode_all = msgspec.msgpack.Decoder(list[WindowStats]).decode


class EmbeddedSeries:
    """Keeps `SeriesWriter` and `SeriesReader` of `foregate.ports.series` in the file at `path`.

    One process writes; any process may open its own to read. Threads may share one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._ids: dict[Entity, int] = {}  # as many as there are entities in the file, which retention bounds
        self._named: dict[int, tuple[int, Entity]] = {}  # the same, for readers: see `_names_of`
        self._known: dict[Entity, int] = {}
        self._db = open_database(path, MIGRATIONS, durable=False)

    def append(
        self,
        windows: Sequence[StoredWindow],
        offsets: Mapping[tuple[str, int], int],
        counts: Mapping[str, int],
        usage: Sequence[Usage] = (),
    ) -> None:
        """Upsert windows, set offsets and add to the accounts and the ledger in one transaction."""
        known = dict(self._ids)  # an id given inside a transaction that fails must not be remembered
        with self._lock, failures_of(self._path), transaction(self._db):
            self._put(list(self._rows(windows, known)))
            self._db.executemany(
                "INSERT OR REPLACE INTO read_to VALUES (?, ?, ?)", [(*at, offset) for at, offset in offsets.items()]
            )
            self._db.executemany(
                "INSERT INTO counts VALUES (?, ?) ON CONFLICT DO UPDATE SET items = items + excluded.items",
                counts.items(),
            )
            self._db.executemany(_ADD_USAGE, [astuple(row.key) + astuple(row.sums) for row in usage])
        self._ids = known

    def _put(self, rows: Sequence[_Row]) -> None:
        """Upsert windows, and mark what is rolled up of them as stale."""
        self._db.executemany(_UPSERT, [row[:5] for row in rows])
        self._db.executemany(_UPSERT_DETAILS, [(*row[:3], *row[5:]) for row in rows])
        marks = {
            (into_s, int(start_s) // into_s * into_s, entity)
            for span_s, start_s, entity, *_ in rows
            if (into_s := _ROLLED_INTO.get(span_s)) is not None
        }
        self._db.executemany(_MARK, sorted(marks))
        series_totals.mark(self._db, (row[1] for row in rows if row[0] == series_totals.QUARTER_S))

    def _rows(self, windows: Sequence[StoredWindow], known: dict[Entity, int]) -> Iterable[_Row]:
        for window in windows:
            number = known.get(window.entity)
            if number is None:
                number = known[window.entity] = self._number_of(window.entity)
            yield _row(window, number)

    def _number_of(self, entity: Entity) -> int:
        names = (entity.org, entity.service, entity.route, entity.environment)
        self._db.execute("INSERT OR IGNORE INTO entities (org, service, route, environment) VALUES (?, ?, ?, ?)", names)
        row = self._db.execute(f"SELECT id FROM entities WHERE TRUE {_OF_ONE}", names).fetchone()  # noqa: S608
        return int(row[0])

    def offsets(self, topic: str = TOPIC_EVENTS) -> dict[int, int]:
        """Partition → last offset whose events are in the stored windows."""
        with self._lock, failures_of(self._path):
            return dict(self._db.execute("SELECT partition, offset FROM read_to WHERE topic = ?", (topic,)).fetchall())

    def roll_up(self, merge: Merge, windows_max: int) -> int:
        """Make what is stale anew, in one transaction: first of hours and days that are over, then the totals, and then
        of those that are not, which will be stale again; what has been so for longest first.
        """
        with self._lock, failures_of(self._path):
            over_s = self._db.execute("SELECT max(start_s) FROM windows WHERE span_s = 900").fetchone()[0] or 0.0
            stale = self._db.execute(_STALE_AND_OVER, (over_s, windows_max)).fetchall()
            if not stale:
                self._total_up(merge, windows_max)
                stale = self._db.execute(_STALE, (windows_max,)).fetchall()
            if stale:
                with transaction(self._db):
                    self._roll_up(stale, merge)
        return len(stale)

    def _roll_up(self, stale: Sequence[_Stale], merge: Merge) -> None:
        """The marks go first: a day among them may be marked again by one of its hours."""
        self._db.executemany("DELETE FROM stale WHERE mark = ?", [(row[0],) for row in stale])
        for _, span_s, start_s, number, *names in stale:
            parts = self._parts(Entity(*names), number, span_s, start_s)
            if parts:  # where all have expired, what was made of them stays until it expires itself
                made = merge(parts, span_s, float(start_s))
                self._put([_row(made, number)])
                series_totals.put_sums(self._db, [(number, made.stats)])

    def _total_up(self, merge: Merge, windows_max: int) -> None:
        """Quarters of hours, each with its hour's and its day's in a transaction of its own."""
        merged = 0
        while merged < windows_max and series_totals.next_quarter(self._db) is not None:  # asked without the lock
            with transaction(self._db):
                merged += 1 + series_totals.make_totals(self._db, merge)

    def _parts(self, entity: Entity, number: int, span_s: int, start_s: int) -> list[StoredWindow]:
        found = self._db.execute(_PARTS, (number, ROLLED_UP_FROM[span_s], start_s, start_s + span_s)).fetchall()
        return [StoredWindow(entity, _decode_stats(row[0]), *row[1:]) for row in found]

    def newest_s(self, span_s: int) -> float | None:
        """The start of the newest window of this span, None when there is none."""
        with self._lock, failures_of(self._path):
            row = self._db.execute("SELECT max(start_s) FROM windows WHERE span_s = ?", (span_s,)).fetchone()
        return None if row[0] is None else float(row[0])

    def expire(self, span_s: int, older_than_s: float, *, org: str | None = None) -> int:
        """Delete windows of this span that started before `older_than_s`, some thousand per transaction."""
        which = "" if org is None else "AND entity IN (SELECT id FROM entities WHERE org = ?)"
        of = () if org is None else (org,)
        query = f"SELECT span_s, start_s, entity FROM windows WHERE span_s = ? AND start_s < ? {which} LIMIT ?"  # noqa: S608
        deleted, gone = 0, _EXPIRE_ROWS_MAX
        while gone == _EXPIRE_ROWS_MAX:
            with self._lock, failures_of(self._path):
                old = self._db.execute(query, (span_s, older_than_s, *of, _EXPIRE_ROWS_MAX)).fetchall()
                if old:
                    with transaction(self._db):
                        for table in ("windows", "details"):
                            self._db.executemany(_DELETE.format(table=table), old)
            gone = len(old)
            deleted += gone
        with self._lock, failures_of(self._path):
            series_totals.expire(self._db, span_s, older_than_s, org)
        return deleted

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
        """Windows with from_s ≤ start < until_s, ordered by (entity, start); some `rows_max` of them."""
        chosen = [entity] if entity is not None else entities
        which, indexed, of = "", "", list[str]()
        with self._lock, failures_of(self._path):
            if chosen is not None:
                numbers = self._numbers_of(chosen)
                which, of = _OF_SOME, [json.dumps(numbers)]
                indexed = _BY_ENTITY if len(numbers) * _FEW <= len(self._known) else ""
            read, joined = _READ[sketches]
            query = _SCAN.format(columns=read, indexed=indexed, joined=joined, which=which)
            rows = self._db.execute(query, (span_s, from_s, until_s, *of, rows_max)).fetchall()
            names = self._names_of(row[0] for row in rows)
        all_stats = _decode_all(b"\xdd" + len(rows).to_bytes(4, "big") + b"".join([row[1] for row in rows]))
        found = [(*names[row[0]], stats, row) for row, stats in zip(rows, all_stats, strict=True)]
        found.sort(key=lambda one: (one[0], one[2].start_s))
        return [StoredWindow(of_whom, stats, *row[2:]) for _, of_whom, stats, row in found]

    def _names_of(self, numbers: Iterable[int]) -> Mapping[int, tuple[int, Entity]]:
        """Number → place in the order of entities, and entity. Read again when there is one that is not known."""
        if not all(number in self._named for number in numbers):
            rows = self._db.execute(f"SELECT id, {_NAMES} FROM entities ORDER BY {_NAMES}").fetchall()  # noqa: S608
            self._named = {row[0]: (place, Entity(*row[1:])) for place, row in enumerate(rows)}
            self._known = {entity: number for number, (_, entity) in self._named.items()}
        return self._named

    def _numbers_of(self, entities: Collection[Entity]) -> list[int]:
        """Of those that there are."""
        if not all(entity in self._known for entity in entities):
            self._names_of([-1])
        return [self._known[entity] for entity in entities if entity in self._known]

    def entities(self, org: str | None = None) -> list[Entity]:
        """Of whom there are (or were) windows."""
        which, of = ("", ()) if org is None else ("WHERE org = ?", (org,))
        query = f"SELECT {_NAMES} FROM entities {which} ORDER BY {_NAMES}"  # noqa: S608
        with self._lock, failures_of(self._path):
            rows = self._db.execute(query, of).fetchall()
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
        """One number per entity; of hours and days by SQLite alone."""
        with self._lock, failures_of(self._path):
            found = series_totals.sums(self._db, number, span_s, from_s, until_s, org, rows_max)
            names = self._names_of(entity for entity, _ in found)
        return [(names[entity][1], value) for entity, value in found]

    def totals(self, span_s: int, from_s: float, until_s: float, *, org: str | None = None) -> list[StoredWindow]:
        """The windows of all routes together."""
        with self._lock, failures_of(self._path):
            return series_totals.totals(self._db, span_s, from_s, until_s, org)

    def stale(self, from_s: float, until_s: float, span_s: int = 3_600) -> list[float]:
        """Starts of hours that are not rolled up, or of quarters without totals."""
        with self._lock, failures_of(self._path):
            return series_totals.stale(self._db, from_s, until_s, span_s)

    def usage(self, by: UsageBy, from_s: float, until_s: float, *, rows_max: int = 1_000) -> UsageAnswer:
        """The ledger of AI traffic, added up; the first `rows_max` of it, and the total of all."""
        used = _USED.format(by=_USED_BY[by], order="hour_s" if by == "hour" else "7 DESC, 4 DESC, 1")
        total = _USED.format(by="''", order="1")
        with self._lock, failures_of(self._path):
            rows = self._db.execute(used, (from_s, until_s, rows_max)).fetchall()
            all_of_it = self._db.execute(total, (from_s, until_s, 1)).fetchone()
        return UsageAnswer(
            [(row[0], UsageSums(*row[1:])) for row in rows], UsageSums(*all_of_it[1:]) if all_of_it else UsageSums()
        )

    def expire_usage(self, older_than_s: float) -> int:
        """Delete what the ledger has of hours that began before `older_than_s`."""
        with self._lock, failures_of(self._path):
            return self._db.execute("DELETE FROM usage WHERE hour_s < ?", (older_than_s,)).rowcount

    def counts(self) -> dict[str, int]:
        """The telemetry accounts: outcome → items, since ever."""
        with self._lock, failures_of(self._path):
            return dict(self._db.execute("SELECT outcome, items FROM counts").fetchall())

    def close(self) -> None:
        with self._lock:
            self._db.close()


def _row(window: StoredWindow, number: int) -> _Row:
    stats = window.stats
    encoded = _encode_stats(stats)
    return stats.span_s, stats.start_s, number, encoded, window.latency, window.upstream, window.facets
