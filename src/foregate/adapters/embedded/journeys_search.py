"""Searching journeys: which table leads, what has to hold, where a page ends."""

import base64
import binascii
import sqlite3
from typing import NamedTuple

import msgspec

from foregate.kernel.errors import ForegateError
from foregate.wire.journey import JourneyAsk

LOOKED_AT_MAX = 100_000  # for one page: beyond it the page ends early, with a cursor to go on
Place = tuple[float, int]  # start and number of a journey: newer ones are on the pages before
_FIRST: Place = (9e15, 0)
_decode_cursor = msgspec.json.Decoder(tuple[float, int]).decode


class Found(NamedTuple):
    """`rows`: start, number, encoded summary. `ended`: where looking for more was given up."""

    rows: list[tuple[float, int, bytes]]
    ended: Place | None


def page(db: sqlite3.Connection, ask: JourneyAsk, limit: int, before: Place) -> Found:
    """Up to limit + 1 rows, newest first."""
    leads, where, values = _leading(ask)
    place = f"d.start_s >= ? AND (d.start_s, d.id) < (?, ?) AND {where}"
    start = [ask.from_s, *min(before, (ask.until_s, -1)), *values]
    order = "ORDER BY d.start_s DESC, d.id DESC"
    last = db.execute(
        f"SELECT d.start_s, d.id FROM {leads} AS d WHERE {place} {order} LIMIT 1 OFFSET ?",  # noqa: S608
        (*start, LOOKED_AT_MAX),
    ).fetchone()
    others, more = _others(ask)
    if last is not None:
        others += " AND (d.start_s, d.id) >= (?, ?)"
        more += last
    rows = db.execute(
        f"SELECT d.start_s, d.id, j.summary FROM {leads} AS d CROSS JOIN journeys AS j USING (id) "  # noqa: S608
        f"WHERE {place}{others} GROUP BY d.start_s, d.id {order} LIMIT ?",
        (*start, *more, limit + 1),
    ).fetchall()
    return Found(rows, last)


def _leading(ask: JourneyAsk) -> tuple[str, str, list[object]]:
    """The table whose index gives the fewest candidates in order of time."""
    if not ask.service:
        return "journeys", "d.org = ? AND d.failed = 1" if ask.failed else "d.org = ?", [ask.org]
    if ask.environment:
        return "participants", "d.org = ? AND d.service = ? AND d.environment = ?", [
            ask.org, ask.service, ask.environment,
        ]  # fmt: skip
    return "participants", "d.org = ? AND d.service = ?", [ask.org, ask.service]


def _others(ask: JourneyAsk) -> tuple[str, list[object]]:
    """What else has to hold of a journey."""
    where, values = "", list[object]()
    if ask.environment and not ask.service:
        where += " AND EXISTS (SELECT 1 FROM participants AS p WHERE p.id = d.id AND p.environment = ?)"
        values.append(ask.environment)
    if ask.route:
        where += " AND j.route = ?"
        values.append(ask.route)
    if ask.duration_ms_min > 0:
        where += " AND j.duration_ms >= ?"
        values.append(ask.duration_ms_min)
    if ask.failed:
        where += " AND j.failed = 1"
    return where, values


def cursor_of(place: Place) -> str:
    """What asks for the journeys after that place."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode()


def read_cursor(cursor: str) -> Place:
    """Raises ForegateError("invalid_parameter")."""
    if not cursor:
        return _FIRST
    try:
        return _decode_cursor(base64.urlsafe_b64decode(cursor.encode("ascii")))
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        raise ForegateError("invalid_parameter", "cursor: not one that this API gave out.") from None
