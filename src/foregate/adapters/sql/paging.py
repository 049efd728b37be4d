"""Single items, newest first, page by page.

A cursor says at which time the page before ended, and how many items of that very time have been given. Those of one
time are ordered by what tells them apart, so that pages neither repeat nor leave out one when segments are merged in
between; only an item that comes in late, at that very time, can shift them.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from foregate.adapters.sql.columns import PER_SECOND, TIMES, Column, columns
from foregate.adapters.sql.dialect import Bound, Dialect, Query
from foregate.adapters.sql.filters import conditions
from foregate.kernel.errors import ForegateError
from foregate.ports.archive import PAGE_ITEMS_MAX, Page
from foregate.wire.accounts import Kind
from foregate.wire.ask import Filter

_SKIPPED_MAX = 1_000_000
_KEYS: Mapping[str, str] = {
    "events": "request_id, span_id, service, route, path, client, latency_ms",
    "spans": "trace_id, span_id, service, name, end_ns",
    "points": "name, service, environment, instance, attributes, value",
}
_decode = msgspec.json.Decoder(tuple[float | int, int]).decode


class Place(NamedTuple):
    """Items up to `time` (in the units of the kind's time column), less the first `given` of exactly that time."""

    time: float
    given: int


def read_cursor(cursor: str) -> Place | None:
    """None for "". Raises ForegateError("invalid_parameter")."""
    if not cursor:
        return None
    try:
        place = Place(*_decode(base64.urlsafe_b64decode(cursor.encode("ascii"))))
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        raise ForegateError("invalid_parameter", "this cursor is not one of ours") from None
    if not 0 <= place.given <= _SKIPPED_MAX:
        raise ForegateError("invalid_parameter", "this cursor is not one of ours")
    return place


def check_limit(limit: int) -> None:
    """Raises ForegateError("invalid_parameter")."""
    if not 1 <= limit <= PAGE_ITEMS_MAX:
        raise ForegateError("invalid_parameter", f"a page has 1 to {PAGE_ITEMS_MAX} items")


def page_query(
    kind: Kind,
    org: str,
    from_s: float,
    until_s: float,
    filters: Sequence[Filter],
    limit: int,
    place: Place | None,
    source: str,
    dialect: Dialect,
) -> Query:
    """Rows of all columns: those of a page, and one more when there is another page."""
    bound, time, per_s = Bound(dialect), TIMES[kind], PER_SECOND[kind]
    where = [f"org = {bound(org)}", f"{time} >= {bound(_in(from_s, per_s))}", f"{time} < {bound(_in(until_s, per_s))}"]
    if place is not None:
        where.append(f"{time} <= {bound(place.time)}")
    where += conditions(kind, filters, bound)
    names = ", ".join(f'"{column.name}"' for column in columns(kind))
    page = f"LIMIT {bound(limit + 1)} OFFSET {bound(place.given if place else 0)}"
    sql = f"SELECT {names} FROM {source} WHERE {' AND '.join(where)} ORDER BY {time} DESC, {_KEYS[kind]} {page}"  # noqa: S608 - closed lists
    return Query(sql, bound.values)


def _in(time_s: float, per_s: int) -> float | int:
    return time_s if per_s == 1 else round(time_s * per_s)


def page_of(kind: Kind, rows: Sequence[Sequence[Any]], limit: int, place: Place | None) -> Page:
    """The page, from the rows of `page_query`."""
    of = columns(kind)
    found = [{column.name: _read(column, value) for column, value in zip(of, row, strict=True)} for row in rows]
    if len(found) <= limit:
        return Page(found)
    page = found[:limit]
    time = page[-1][TIMES[kind]]
    given = sum(1 for row in page if row[TIMES[kind]] == time)
    if place is not None and place.time == time:
        given += place.given
    return Page(page, base64.urlsafe_b64encode(msgspec.json.encode((time, given))).decode("ascii"))


def _read(column: Column, value: Any) -> Any:
    if column.type != "json":
        return value
    return msgspec.json.decode(column.default if value is None else value)
