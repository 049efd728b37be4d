"""What makes questions over many routes cheap: hours and days as columns of numbers, and all routes merged into one.

Kept by the writer of `embedded.series` in its own transactions, so that they say what its windows say.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter

import msgspec

from foregate.kernel.errors import ForegateError
from foregate.ports.series import Merge, Number
from foregate.wire.entity import Entity
from foregate.wire.window import ROLLED_UP_FROM, StoredWindow, WindowStats

HOUR_S, QUARTER_S = 3_600, 900
_NUMBERS = (
    "requests", "errors", "timeouts", "client_errors", "limited", "broken", "retries", "request_bytes",
    "response_bytes",
)  # fmt: skip
_MAXIMA = ("inflight_max", "max_ms")
_PUT = f"INSERT OR REPLACE INTO sums VALUES ({', '.join('?' * (3 + len(_NUMBERS) + len(_MAXIMA)))})"  # noqa: S608
_SUMS = "SELECT entity, {added} FROM sums WHERE span_s = ? AND start_s >= ? AND start_s < ? {which} GROUP BY entity"
_COUNT = (
    "SELECT count(*) FROM (SELECT 1 FROM {table} WHERE span_s = ? AND start_s >= ? AND start_s < ? {which} LIMIT ?)"
)
_STATS = "SELECT entity, stats FROM windows WHERE span_s = ? AND start_s >= ? AND start_s < ? {which}"
_OF_ORG = "AND entity IN (SELECT id FROM entities WHERE org = ?)"
_PARTS = (
    "SELECT org, environment, stats, latency, upstream, facets FROM windows "
    "CROSS JOIN details USING (span_s, start_s, entity) JOIN entities ON id = entity "
    "WHERE span_s = ? AND start_s = ? ORDER BY org, environment"
)
_TOTALS = (
    "SELECT org, environment, stats, latency, upstream, facets FROM totals "
    "WHERE span_s = ? AND start_s >= ? AND start_s < ? {which} ORDER BY org, environment, start_s"
)
_STALE = (
    "SELECT start_s / 3600 * 3600 FROM untotalled WHERE start_s >= ?1 / 3600 * 3600 AND start_s < ?2 UNION "
    "SELECT start_s FROM stale WHERE start_s > ?1 - 86400 AND start_s < ?2 ORDER BY 1"
)
_NEXT = (
    "SELECT start_s FROM untotalled WHERE start_s < (SELECT max(start_s) FROM windows WHERE span_s = 900) "
    "ORDER BY start_s LIMIT 1"
)
_encode_stats = msgspec.msgpack.Encoder().encode
_decode_stats = msgspec.msgpack.Decoder(WindowStats).decode
_decode_all = msgspec.msgpack.Decoder(list[WindowStats]).decode


def mark(db: sqlite3.Connection, quarters_s: Iterable[float]) -> None:
    """Quarters of hours have changed: their totals have to be made anew."""
    db.executemany("INSERT OR IGNORE INTO untotalled VALUES (?)", sorted({(int(start_s),) for start_s in quarters_s}))


def put_sums(db: sqlite3.Connection, rolled_up: Iterable[tuple[int, WindowStats]]) -> None:
    """(entity's number, its hour or day)."""
    db.executemany(_PUT, [(stats.span_s, int(stats.start_s), number, *_numbers(stats)) for number, stats in rolled_up])


def _numbers(stats: WindowStats) -> list[float]:
    return [getattr(stats, name) for name in (*_NUMBERS, *_MAXIMA)]


def next_quarter(db: sqlite3.Connection) -> int | None:
    """The oldest one whose totals have to be made, and that is over: there is a window of a later one."""
    row = db.execute(_NEXT).fetchone()
    return None if row is None else int(row[0])


def make_totals(db: sqlite3.Connection, merge: Merge) -> int:
    """Of `next_quarter`, and of its hour and its day as far as they are there. Returns of how many windows."""
    quarter_s = next_quarter(db)
    if quarter_s is None:
        return 0
    parts = [_total(row) for row in db.execute(_PARTS, (QUARTER_S, quarter_s))]
    windows = len(parts)
    _put_totals(db, QUARTER_S, quarter_s, _merged(parts, merge, QUARTER_S, quarter_s))
    for span_s, part_s in ROLLED_UP_FROM.items():
        start_s = quarter_s // span_s * span_s
        parts = totals(db, part_s, start_s, start_s + span_s)
        _put_totals(db, span_s, start_s, _merged(parts, merge, span_s, start_s))
    db.execute("DELETE FROM untotalled WHERE start_s = ?", (quarter_s,))
    return windows


def _merged(parts: Iterable[StoredWindow], merge: Merge, span_s: int, start_s: int) -> list[StoredWindow]:
    """One window per (org, environment), of parts in that order."""
    grouped = [list(of_one) for _, of_one in groupby(parts, key=lambda part: part.entity)]
    return [merge(of_one, span_s, float(start_s)) for of_one in grouped]


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
        db.execute("DELETE FROM untotalled WHERE start_s < ?", (older_than_s,))


def totals(
    db: sqlite3.Connection, span_s: int, from_s: float, until_s: float, org: str | None = None
) -> list[StoredWindow]:
    """See `ports.series.SeriesReader.totals`."""
    of = () if org is None else (org,)
    query = _TOTALS.format(which="AND org = ?" if of else "")
    return [_total(row) for row in db.execute(query, (span_s, from_s, until_s, *of)).fetchall()]


def stale(db: sqlite3.Connection, from_s: float, until_s: float, span_s: int = HOUR_S) -> list[float]:
    """See `ports.series.SeriesReader.stale`."""
    query = _STALE
    if span_s == QUARTER_S:
        query = "SELECT start_s FROM untotalled WHERE start_s >= ?1 AND start_s < ?2 ORDER BY 1"
    return [float(row[0]) for row in db.execute(query, (int(from_s), until_s))]


def sums(
    db: sqlite3.Connection, number: Number, span_s: int, from_s: float, until_s: float, org: str | None, rows_max: int
) -> list[tuple[int, float]]:
    """See `ports.series.SeriesReader.sums`; by the entities' numbers."""
    alone = org is None or db.execute("SELECT 1 FROM entities WHERE org <> ? LIMIT 1", (org,)).fetchone() is None
    which, of = ("", ()) if alone else (_OF_ORG, (org,))
    rolled_up = span_s in ROLLED_UP_FROM
    asked = (span_s, from_s, until_s, *of)
    most = db.execute("SELECT count(*) FROM entities").fetchone()[0] * (until_s - from_s) / span_s
    count = _COUNT.format(table="sums" if rolled_up else "windows", which=which)
    if most > rows_max and db.execute(count, (*asked, rows_max + 1)).fetchone()[0] > rows_max:
        raise ForegateError("query_too_large", f"It would read more than {rows_max:,} windows of {span_s} s.")
    if rolled_up:
        # One of a closed list. `sum` would fail beyond 64 bits, which a sender's made-up bytes can reach.
        added = f"max({number})" if number in _MAXIMA else f"CAST(total({number}) AS INTEGER)"
        return db.execute(_SUMS.format(added=added, which=which), asked).fetchall()
    return _added(number, db.execute(_STATS.format(which=which), asked).fetchall())


def _added(number: Number, rows: Sequence[tuple[int, bytes]]) -> list[tuple[int, float]]:
    """Windows of 15 minutes and less are stored as messages alone: added up here."""
    decoded = _decode_all(b"\xdd" + len(rows).to_bytes(4, "big") + b"".join([row[1] for row in rows]))
    found: dict[int, float] = {}
    for (entity, _), value in zip(rows, map(attrgetter(number), decoded), strict=True):
        before = found.get(entity, 0)
        found[entity] = max(before, value) if number in _MAXIMA else before + value
    return list(found.items())
