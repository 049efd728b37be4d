"""What makes questions over many routes cheap: hours and days as columns of numbers, and all routes merged into one.

Kept by the writer of `embedded.series` in its own transactions, so that they say what its windows say.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from foregate.kernel.errors import ForegateError
from foregate.ports.series import Merge
from foregate.wire.entity import Entity
from foregate.wire.window import ROLLED_UP_FROM, StoredWindow, WindowStats

HOUR_S, DAY_S, QUARTER_S = 3_600, 86_400, 900
_NUMBERS = (
    "requests", "errors", "timeouts", "client_errors", "limited", "broken", "retries", "request_bytes",
    "response_bytes",
)  # fmt: skip
_MAXIMA = ("inflight_max", "max_ms")
_PUT = f"INSERT OR REPLACE INTO sums VALUES ({', '.join('?' * (3 + len(_NUMBERS) + len(_MAXIMA)))})"  # noqa: S608
_ADDED = ", ".join([*(f"sum({name})" for name in _NUMBERS), *(f"max({name})" for name in _MAXIMA)])
_SUMS = (
    f"SELECT org, service, route, environment, {_ADDED} FROM sums JOIN entities ON id = entity "  # noqa: S608
    "WHERE span_s = ? AND start_s >= ? AND start_s < ? {which} GROUP BY entity"
)
_COUNT = (
    "SELECT count(*) FROM (SELECT 1 FROM {table} {join} WHERE span_s = ? AND start_s >= ? AND start_s < ? {which} "
    "LIMIT ?)"
)
_STATS = (
    "SELECT org, service, route, environment, stats FROM windows JOIN entities ON id = entity "
    "WHERE span_s = ? AND start_s >= ? AND start_s < ? {which} ORDER BY entity"
)
_PARTS = (
    "SELECT org, environment, stats, latency, upstream, facets FROM windows JOIN entities ON id = entity "
    "WHERE span_s = ? AND start_s = ? ORDER BY org, environment"
)
_TOTALS = (
    "SELECT org, environment, stats, latency, upstream, facets FROM totals "
    "WHERE span_s = ? AND start_s >= ? AND start_s < ? {which} ORDER BY org, environment, start_s"
)
_STALE = (
    "SELECT start_s FROM untotalled WHERE start_s >= ?1 AND start_s < ?2 UNION "
    "SELECT start_s FROM stale WHERE start_s > ?1 - 86400 AND start_s < ?2 ORDER BY 1"
)
_encode_stats = msgspec.msgpack.Encoder().encode
_decode_stats = msgspec.msgpack.Decoder(WindowStats).decode
_decode_all = msgspec.msgpack.Decoder(list[WindowStats]).decode


def mark(db: sqlite3.Connection, quarters_s: Iterable[float]) -> None:
    """Quarters of hours have changed: their totals have to be made anew."""
    hours = {(int(start_s) // HOUR_S * HOUR_S,) for start_s in quarters_s}
    db.executemany("INSERT OR IGNORE INTO untotalled VALUES (?)", sorted(hours))


def put_sums(db: sqlite3.Connection, rolled_up: Iterable[tuple[int, WindowStats]]) -> None:
    """(entity's number, its hour or day)."""
    db.executemany(_PUT, [(stats.span_s, int(stats.start_s), number, *_numbers(stats)) for number, stats in rolled_up])


def _numbers(stats: WindowStats) -> list[float]:
    return [getattr(stats, name) for name in (*_NUMBERS, *_MAXIMA)]


def next_hour(db: sqlite3.Connection) -> int | None:
    """The oldest hour whose totals have to be made, is over (there is a window of a later one), and is rolled up."""
    newest = db.execute("SELECT max(start_s) FROM windows WHERE span_s = ?", (QUARTER_S,)).fetchone()[0]
    row = db.execute(
        "SELECT start_s FROM untotalled WHERE start_s + 3600 <= ? AND start_s NOT IN "
        "(SELECT start_s FROM stale WHERE span_s = 3600) ORDER BY start_s LIMIT 1",
        (newest or 0,),
    ).fetchone()
    return None if row is None else int(row[0])


def make_totals(db: sqlite3.Connection, merge: Merge) -> None:
    """Of `next_hour`, of its quarters and of its day."""
    hour_s = next_hour(db)
    if hour_s is None:
        return
    for start_s in range(hour_s, hour_s + HOUR_S, QUARTER_S):
        _put_totals(db, QUARTER_S, start_s, _merged(db.execute(_PARTS, (QUARTER_S, start_s)), merge, start_s))
    for span_s, part_s in ROLLED_UP_FROM.items():
        start_s = hour_s // span_s * span_s
        parts = totals(db, part_s, start_s, start_s + span_s)
        grouped = [list(of_one) for _, of_one in groupby(parts, key=lambda part: part.entity)]
        _put_totals(db, span_s, start_s, [merge(of_one, span_s, float(start_s)) for of_one in grouped])
    db.execute("DELETE FROM untotalled WHERE start_s = ?", (hour_s,))


def _merged(rows: Iterable[Sequence[bytes]], merge: Merge, start_s: int) -> list[StoredWindow]:
    """One window per (org, environment): what is read of a quarter of an hour at once is one window per route."""
    found = [_total(row) for row in rows]
    of_each = groupby(found, key=lambda part: part.entity)
    return [merge(list(of_one), QUARTER_S, float(start_s)) for _, of_one in of_each]


def _total(row: Sequence[bytes]) -> StoredWindow:
    return StoredWindow(Entity(str(row[0]), "", "", str(row[1])), _decode_stats(row[2]), *row[3:])


def _put_totals(db: sqlite3.Connection, span_s: int, start_s: int, made: Sequence[StoredWindow]) -> None:
    db.execute("DELETE FROM totals WHERE span_s = ? AND start_s = ?", (span_s, start_s))
    db.executemany(
        "INSERT INTO totals VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (span_s, start_s, one.entity.org, one.entity.environment, _encode_stats(one.stats), one.latency,
             one.upstream, one.facets)
            for one in made
        ],
    )  # fmt: skip


def expire(db: sqlite3.Connection, span_s: int, older_than_s: float, org: str | None) -> None:
    """What was made of windows goes with them."""
    which, of = ("", ()) if org is None else ("AND entity IN (SELECT id FROM entities WHERE org = ?)", (org,))
    db.execute(f"DELETE FROM sums WHERE span_s = ? AND start_s < ? {which}", (span_s, older_than_s, *of))  # noqa: S608
    which = "" if org is None else "AND org = ?"
    db.execute(f"DELETE FROM totals WHERE span_s = ? AND start_s < ? {which}", (span_s, older_than_s, *of))  # noqa: S608
    if span_s == QUARTER_S and org is None:
        db.execute("DELETE FROM untotalled WHERE start_s + 3600 <= ?", (older_than_s,))


def totals(
    db: sqlite3.Connection, span_s: int, from_s: float, until_s: float, org: str | None = None
) -> list[StoredWindow]:
    """See `ports.series.SeriesReader.totals`."""
    of = () if org is None else (org,)
    query = _TOTALS.format(which="AND org = ?" if of else "")
    return [_total(row) for row in db.execute(query, (span_s, from_s, until_s, *of)).fetchall()]


def stale(db: sqlite3.Connection, from_s: float, until_s: float) -> list[float]:
    """See `ports.series.SeriesReader.stale`."""
    return [float(row[0]) for row in db.execute(_STALE, (from_s, until_s))]


def sums(
    db: sqlite3.Connection, span_s: int, from_s: float, until_s: float, org: str | None, rows_max: int
) -> list[tuple[Entity, WindowStats]]:
    """See `ports.series.SeriesReader.sums`."""
    which, of = ("", ()) if org is None else ("AND org = ?", (org,))
    table, join = "sums" if span_s in ROLLED_UP_FROM else "windows", "JOIN entities ON id = entity" if of else ""
    asked = (span_s, from_s, until_s, *of)
    count = db.execute(_COUNT.format(table=table, join=join, which=which), (*asked, rows_max + 1)).fetchone()[0]
    if count > rows_max:
        raise ForegateError("query_too_large", f"It would read more than {rows_max} windows of {span_s} s.")
    length_s = int(until_s - from_s)
    if span_s in ROLLED_UP_FROM:
        rows = db.execute(_SUMS.format(which=which), asked).fetchall()
        return [(Entity(*row[:4]), _stats(from_s, length_s, row[4:])) for row in rows]
    return _added(db.execute(_STATS.format(which=which), asked).fetchall(), from_s, length_s)


def _stats(start_s: float, length_s: int, numbers: Sequence[float]) -> WindowStats:
    return WindowStats(start_s, length_s, **dict(zip((*_NUMBERS, *_MAXIMA), numbers, strict=True)))  # type: ignore[arg-type]


def _added(rows: Sequence[Sequence[bytes]], start_s: float, length_s: int) -> list[tuple[Entity, WindowStats]]:
    """Windows of 15 minutes and less are stored as messages alone: added up here."""
    decoded = _decode_all(b"\xdd" + len(rows).to_bytes(4, "big") + b"".join(row[4] for row in rows))
    found = []
    for names, group in groupby(zip(rows, decoded, strict=True), key=lambda pair: pair[0][:4]):
        of_one = [stats for _, stats in group]
        numbers = [sum(getattr(stats, name) for stats in of_one) for name in _NUMBERS]
        numbers += [max(getattr(stats, name) for stats in of_one) for name in _MAXIMA]
        found.append((Entity(*map(str, names)), _stats(start_s, length_s, numbers)))
    return found
