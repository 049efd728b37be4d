"""What makes questions over many routes cheap: windows added up by the server, and all routes merged into one."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from psycopg import sql

from foregate.adapters.distributed.postgres.database import Cursor
from foregate.adapters.distributed.postgres.partitions import moment
from foregate.adapters.distributed.postgres.tables import NUMBERS, SKETCHES, WINDOWS
from foregate.adapters.distributed.postgres.values import integer, text
from foregate.adapters.distributed.postgres.windows import NUMBER_COLUMNS, QUARTER_S, SKETCH_COLUMNS, between, stats_of
from foregate.kernel.errors import ForegateError
from foregate.ports.series import Merge, Number
from foregate.wire.entity import Entity
from foregate.wire.window import ROLLED_UP_FROM, StoredWindow

HOUR_S = 3_600
_MARK = "INSERT INTO untotalled SELECT unnest(%s::bigint[]) ON CONFLICT DO NOTHING"
_NEXT = (
    "SELECT start_s FROM untotalled WHERE start_s < (SELECT extract(epoch FROM max(start_at)) FROM {quarters}) "
    "ORDER BY start_s LIMIT 1"
)
_PARTS = (
    f"SELECT org, environment, {NUMBER_COLUMNS}, {SKETCH_COLUMNS} FROM {{quarters}} JOIN entities ON id = entity "  # noqa: S608
    "WHERE start_at = {start} ORDER BY org, environment"
)
_TOTALS = (
    f"SELECT org, environment, start_s, {NUMBER_COLUMNS}, {SKETCH_COLUMNS} FROM totals "  # noqa: S608
    "WHERE span_s = %s AND start_s >= %s AND start_s < %s {which} ORDER BY org, environment, start_s"
)
_PUT = (
    f"INSERT INTO totals (span_s, start_s, org, environment, {NUMBER_COLUMNS}, {SKETCH_COLUMNS}) "  # noqa: S608
    f"VALUES ({', '.join(['%s'] * (4 + len(NUMBERS) + len(SKETCHES)))})"
)
_STALE = (
    "SELECT start_s / 3600 * 3600 FROM untotalled WHERE start_s >= %s AND start_s < %s UNION "
    "SELECT start_s FROM stale WHERE start_s > %s AND start_s < %s ORDER BY 1"
)
_UNTOTALLED = "SELECT start_s FROM untotalled WHERE start_s >= %s AND start_s < %s ORDER BY 1"
_DAY_S = 86_400


def mark(cursor: Cursor, quarters_s: Iterable[float]) -> None:
    """Quarters of hours have changed: their totals have to be made anew."""
    changed = sorted({int(start_s) for start_s in quarters_s})
    if changed:
        cursor.execute(_MARK, (changed,))


def next_quarter(cursor: Cursor) -> int | None:
    """The oldest one whose totals have to be made, and that is over: there is a window of a later one."""
    row = cursor.execute(sql.SQL(_NEXT).format(quarters=_table(QUARTER_S))).fetchone()
    return None if row is None else int(row[0])


def make_totals(cursor: Cursor, merge: Merge) -> int:
    """Of `next_quarter`, and of its hour and its day as far as they are there. Returns how many windows that took; 0:
    there is nothing to make."""
    quarter_s = next_quarter(cursor)
    if quarter_s is None:
        return 0
    cursor.execute(sql.SQL(_PARTS).format(quarters=_table(QUARTER_S), start=moment(quarter_s)))
    windows = [_total(QUARTER_S, (*row[:2], quarter_s, *row[2:])) for row in cursor.fetchall()]
    _put(cursor, QUARTER_S, quarter_s, windows, merge)
    for span_s, part_s in ROLLED_UP_FROM.items():
        start_s = quarter_s // span_s * span_s
        _put(cursor, span_s, start_s, totals(cursor, part_s, start_s, start_s + span_s, None), merge)
    cursor.execute("DELETE FROM untotalled WHERE start_s = %s", (quarter_s,))
    return 1 + len(windows)


def _put(cursor: Cursor, span_s: int, start_s: int, parts: Sequence[StoredWindow], merge: Merge) -> None:
    """Merge what is of the same entity, which is in a row, and put it in the place of what was there."""
    cursor.execute("DELETE FROM totals WHERE span_s = %s AND start_s = %s", (span_s, start_s))
    rows = []
    for entity, of_one in groupby(parts, key=lambda part: part.entity):
        made = merge(list(of_one), span_s, float(start_s))
        numbers = [getattr(made.stats, name) for name in NUMBERS]
        numbers = [integer(number) if isinstance(number, int) else number for number in numbers]
        sketches = (made.latency, made.upstream, made.facets)
        rows.append((span_s, start_s, text(entity.org), text(entity.environment), *numbers, *sketches))
    if rows:
        cursor.executemany(sql.SQL(_PUT), rows)


def _total(span_s: int, row: Sequence[Any]) -> StoredWindow:
    end = 3 + len(NUMBERS)
    return StoredWindow(Entity(row[0], "", "", row[1]), stats_of(span_s, row[2], row[3:end]), *row[end:])


def totals(cursor: Cursor, span_s: int, from_s: float, until_s: float, org: str | None) -> list[StoredWindow]:
    """See `SeriesReader.totals`."""
    which = sql.SQL("" if org is None else "AND org = %s")
    of = () if org is None else (text(org),)
    cursor.execute(sql.SQL(_TOTALS).format(which=which), (span_s, float(from_s), float(until_s), *of))
    return [_total(span_s, row) for row in cursor.fetchall()]


def stale(cursor: Cursor, from_s: float, until_s: float, span_s: int) -> list[float]:
    """See `SeriesReader.stale`."""
    until_s = float(until_s)
    if span_s == QUARTER_S:
        cursor.execute(_UNTOTALLED, (float(from_s), until_s))
    else:
        hour_s = float(from_s // HOUR_S * HOUR_S)
        cursor.execute(_STALE, (hour_s, until_s, from_s - _DAY_S, until_s))
    return [float(row[0]) for row in cursor.fetchall()]


def sums(
    cursor: Cursor, number: Number, span_s: int, from_s: float, until_s: float, org: str | None, rows_max: int
) -> list[tuple[Entity, float]]:
    """See `SeriesReader.sums`."""
    which = sql.SQL("TRUE") if org is None else sql.SQL("org = {}").format(sql.Literal(text(org)))
    found = sql.SQL("FROM {} JOIN entities ON id = entity WHERE {} AND {}").format(
        _table(span_s), between(from_s, until_s), which
    )
    count = sql.SQL("SELECT count(*) FROM (SELECT {} LIMIT {}) AS found").format(found, sql.Literal(rows_max + 1))
    row = cursor.execute(count).fetchone()
    if row is None or row[0] > rows_max:
        raise ForegateError("query_too_large", f"It would read more than {rows_max:,} windows of {span_s} s.")
    kind, how = NUMBERS[number]
    added = f"{how}({number})::{kind}"  # names of our own columns
    cursor.execute(sql.SQL(f"SELECT org, service, route, environment, {added} {{}} GROUP BY 1, 2, 3, 4").format(found))
    return [(Entity(*row[:4]), row[4]) for row in cursor.fetchall()]


def expire(cursor: Cursor, span_s: int, older_than_s: float, org: str | None) -> None:
    """What was made of windows goes with them."""
    of = sql.SQL("TRUE") if org is None else sql.SQL("org = {}").format(sql.Literal(text(org)))
    cursor.execute(
        sql.SQL("DELETE FROM totals WHERE span_s = {} AND start_s < {} AND {}").format(
            sql.Literal(span_s), sql.Literal(float(older_than_s)), of
        )
    )
    if span_s == QUARTER_S and org is None:
        cursor.execute("DELETE FROM untotalled WHERE start_s < %s", (float(older_than_s),))


def _table(span_s: int) -> sql.Identifier:
    return sql.Identifier(WINDOWS[span_s].table)
