"""Single items for reading and for export: requests newest first, and everything of a range in bounded pieces."""

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec

from foregate.kernel.clock import Clock
from foregate.kernel.errors import ForegateError
from foregate.ports.archive import PAGE_ITEMS_MAX, ArchiveReader, Page
from foregate.ports.bus import Bus
from foregate.ports.series import SeriesReader
from foregate.telemetry.query.events import recent_events
from foregate.telemetry.query.matching import matcher
from foregate.telemetry.query.plan import ALL_SPANS_S
from foregate.telemetry.query.rolled import holds
from foregate.telemetry.query.tail import FilteredTail
from foregate.wire.ask import Filter
from foregate.wire.entity import Entity
from foregate.wire.event import RequestEvent
from foregate.wire.point import Point
from foregate.wire.span import Span
from foregate.wire.window import StoredWindow, WindowStats

Exported = Literal["events", "spans", "points", "windows"]
FieldType = Literal["text", "integer", "real", "boolean", "json"]
Row = Mapping[str, Any]
_WINDOWS_MAX = 20_000  # of one piece; an org with more routes than that in one window is refused
_RECENT = 1_000  # of the newest events on the bus, which may not be in the archive yet
_ENTITY = ("org", "service", "route", "environment")


class Column(NamedTuple):
    name: str
    type: FieldType


class Items:
    """Blocking; threads may share it. Raises OSError when a store cannot be read."""

    def __init__(self, bus: Bus, archive: ArchiveReader | None, series: SeriesReader, clock: Clock) -> None:
        self._bus = bus
        self._archive = archive
        self._series = series
        self._clock = clock

    def requests(
        self, org: str, from_s: float, until_s: float, filters: Sequence[Filter], limit: int, cursor: str
    ) -> Page:
        """Newest first. The first page also has what only the bus has yet, and may so be longer than `limit`.

        Raises ForegateError("invalid_parameter").
        """
        fits = matcher(filters)
        if cursor or self._archive is None or until_s < self._clock.now() - 3_600.0:
            return self._kept().scan("events", org, from_s, until_s, filters, limit=limit, cursor=cursor)
        page = self._archive.scan("events", org, from_s, until_s, filters, limit=limit)
        seen = {_key(row) for row in page.rows}
        oldest_s = float(page.rows[-1]["time_s"]) if page.cursor else from_s
        fresh = [
            row
            for event in recent_events(self._bus, _RECENT)
            if event.org == org and oldest_s <= event.time_s < until_s and event.time_s >= from_s and fits(event)
            if _key(row := msgspec.structs.asdict(event)) not in seen
        ]
        rows = sorted([*page.rows, *fresh[:limit]], key=lambda row: -float(row["time_s"]))
        return Page(rows, page.cursor)

    def scan(
        self, kind: Literal["spans", "points"], org: str, from_s: float, until_s: float, filters: Sequence[Filter],
        limit: int, cursor: str = "",
    ) -> Page:  # fmt: skip
        """Of the archive, newest first. Raises ForegateError("invalid_parameter")."""
        return self._kept().scan(kind, org, from_s, until_s, filters, limit=limit, cursor=cursor)

    def tail(self, org: str, filters: Sequence[Filter], place: str) -> FilteredTail:
        """Raises ForegateError("invalid_parameter")."""
        return FilteredTail(self._bus, org, matcher(filters), place)

    def rows(
        self, kind: Exported, org: str, from_s: float, until_s: float, filters: Sequence[Filter], span_s: int
    ) -> Iterator[list[Row]]:
        """Everything of a range, in pieces of some thousand: items newest first, windows of `span_s` oldest first."""
        if kind == "windows":
            yield from self._windows(org, from_s, until_s, filters, span_s)
            return
        cursor = ""
        while True:
            page = self._kept().scan(kind, org, from_s, until_s, filters, limit=PAGE_ITEMS_MAX, cursor=cursor)
            yield list(page.rows)
            if not page.cursor:
                return
            cursor = page.cursor

    def columns(self, kind: Exported) -> list[Column]:
        """What `rows` of a kind have, in order."""
        return columns_of(kind)

    def _windows(
        self, org: str, from_s: float, until_s: float, filters: Sequence[Filter], span_s: int
    ) -> Iterator[list[Row]]:
        if span_s not in ALL_SPANS_S:
            raise ForegateError("invalid_parameter", f"span: one of {', '.join(map(str, ALL_SPANS_S))} seconds.")
        if any(one.field not in _ENTITY for one in filters):
            raise ForegateError("invalid_parameter", f"filter: windows have {', '.join(_ENTITY)} to filter by.")
        chosen = [e for e in self._series.entities(org) if all(holds(one, getattr(e, one.field)) for one in filters)]
        steps = max(1, _WINDOWS_MAX // (2 * max(1, len(chosen))))
        at_s = from_s // span_s * span_s
        while at_s < until_s:
            end_s = min(at_s + steps * span_s, until_s)
            found = self._series.scan(span_s, at_s, end_s, entities=chosen, rows_max=_WINDOWS_MAX + 1, sketches="none")
            if len(found) > _WINDOWS_MAX:
                raise ForegateError("query_too_large", f"More than {_WINDOWS_MAX:,} routes: export them by a filter.")
            yield [_window_row(one) for one in sorted(found, key=lambda one: (one.stats.start_s, one.entity))]
            at_s = end_s

    def _kept(self) -> ArchiveReader:
        if self._archive is None:
            raise ForegateError("not_found", "No single items are kept here.")
        return self._archive


def _key(row: Row) -> tuple[Any, ...]:
    return row["time_s"], row["request_id"], row["span_id"], row["route"]


def _window_row(window: StoredWindow) -> Row:
    return msgspec.structs.asdict(window.entity) | msgspec.structs.asdict(window.stats)


def columns_of(kind: Exported) -> list[Column]:
    """What the rows of a kind have, in order."""
    messages: Mapping[Exported, Sequence[type[msgspec.Struct]]] = {
        "events": (RequestEvent,), "spans": (Span,), "points": (Point,), "windows": (Entity, WindowStats),
    }  # fmt: skip
    return [
        Column(field.name, _type_of(field.type))
        for message in messages[kind]
        for field in msgspec.structs.fields(message)
    ]


def _type_of(hint: Any) -> FieldType:
    if get_origin(hint) is Literal and all(isinstance(value, str) for value in get_args(hint)):
        return "text"
    if get_origin(hint) in (Union, types.UnionType):
        return "json"
    plain: Mapping[Any, FieldType] = {str: "text", int: "integer", float: "real", bool: "boolean"}
    return plain.get(hint, "json")
