"""Windows on their way into the tables and out of them."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import astuple
from psycopg import sql

from foregate.adapters.distributed.postgres.database import Cursor
from foregate.adapters.distributed.postgres.partitions import Layout, moment
from foregate.adapters.distributed.postgres.tables import COLUMNS, NUMBERS, SKETCHES, WINDOWS
from foregate.adapters.distributed.postgres.values import integers, text
from foregate.wire.entity import Entity
from foregate.wire.window import ROLLED_UP_FROM, StoredWindow, WindowStats

QUARTER_S = 900
_ROWS_MAX = 2_000  # of one statement
_ROLLED_INTO = {part_s: span_s for span_s, part_s in ROLLED_UP_FROM.items()}
_KINDS = {"entity": "bigint", **{name: kind for name, (kind, _) in NUMBERS.items()}, **dict.fromkeys(SKETCHES, "bytea")}
_MARK = (
    "INSERT INTO stale (span_s, start_s, entity) SELECT * FROM unnest(%s::integer[], %s::bigint[], %s::bigint[]) "
    "ON CONFLICT DO NOTHING"
)
_ADD_ENTITIES = (
    "INSERT INTO entities (digest, org, service, route, environment) "
    "SELECT * FROM unnest(%s::bytea[], %s::text[], %s::text[], %s::text[], %s::text[]) ON CONFLICT DO NOTHING"
)
_FIND_ENTITIES = "SELECT digest, id FROM entities WHERE digest = ANY(%s::bytea[])"
NUMBER_COLUMNS = ", ".join(NUMBERS)
SKETCH_COLUMNS = ", ".join(SKETCHES)
Part = tuple[int, int]  # span and start of a part of its table


class Putting:
    """Upserts in one transaction. What it has learnt holds once that is committed: hand it on then.

    `ids` and `ready` are what earlier transactions knew: entities' numbers, and the parts that are there.
    """

    def __init__(self, cursor: Cursor, layout: Layout, ids: Mapping[Entity, int], ready: set[Part]) -> None:
        self.new_ids: dict[Entity, int] = {}
        self.new_ready: set[Part] = set()
        self.changed_quarters_s: list[float] = []
        self._cursor = cursor
        self._layout = layout
        self._ids = ids
        self._ready = ready

    def put(self, windows: Iterable[StoredWindow]) -> None:
        """Upsert them (the last of those with the same key), and mark what is rolled up of them as stale."""
        last = {(each.stats.span_s, each.stats.start_s, each.entity): each for each in windows}
        self._number({entity for _, _, entity in last})
        by_span: dict[int, list[StoredWindow]] = {}
        for window in last.values():
            by_span.setdefault(window.stats.span_s, []).append(window)
        for span_s, of_span in by_span.items():
            self._prepare(span_s, [window.stats.start_s for window in of_span])
            for begin in range(0, len(of_span), _ROWS_MAX):
                self._upsert(span_s, of_span[begin : begin + _ROWS_MAX])
        self._mark(last)
        self.changed_quarters_s += [start_s for span_s, start_s, _ in last if span_s == QUARTER_S]

    def _upsert(self, span_s: int, windows: Sequence[StoredWindow]) -> None:
        rows = [
            (
                each.stats.start_s,
                self._id(each.entity),
                *astuple(each.stats)[2:],
                each.latency,
                each.upstream,
                each.facets,
            )
            for each in windows
        ]
        self._cursor.execute(_UPSERTS[span_s], [integers(column) for column in zip(*rows, strict=True)])

    def _mark(self, keys: Iterable[tuple[int, float, Entity]]) -> None:
        marks = {
            (into_s, int(start_s) // into_s * into_s, self._id(entity))
            for span_s, start_s, entity in keys
            if (into_s := _ROLLED_INTO.get(span_s)) is not None
        }
        if marks:
            self._cursor.execute(_MARK, list(map(list, zip(*sorted(marks), strict=True))))

    def _prepare(self, span_s: int, starts_s: Iterable[float]) -> None:
        """The parts that are needed, and the one behind them: made before it is."""
        divided = WINDOWS[span_s]
        needed = {divided.part_of(start_s) for start_s in starts_s}
        needed.add(max(needed) + divided.width_s)
        missing = {start for start in needed if (span_s, start) not in self._ready}
        if missing:
            self._layout.prepare(self._cursor, divided, missing)
            self.new_ready |= {(span_s, start) for start in missing}

    def _id(self, entity: Entity) -> int:
        known = self._ids.get(entity)
        return self.new_ids[entity] if known is None else known

    def _number(self, entities: Iterable[Entity]) -> None:
        unknown = [entity for entity in entities if entity not in self._ids and entity not in self.new_ids]
        if not unknown:
            return
        digests = [digest(entity) for entity in unknown]
        self._cursor.execute(_ADD_ENTITIES, [digests, *map(list, zip(*map(_names, unknown), strict=True))])
        self._cursor.execute(_FIND_ENTITIES, (digests,))
        found = {bytes(row[0]): int(row[1]) for row in self._cursor.fetchall()}
        self.new_ids |= {entity: found[each] for entity, each in zip(unknown, digests, strict=True)}


def digest(entity: Entity) -> bytes:
    """What entities are told apart by: names may be longer than an index takes."""
    return hashlib.blake2b(msgspec.msgpack.encode(_names(entity)), digest_size=16).digest()


def _names(entity: Entity) -> list[str]:
    return [text(name) for name in (entity.org, entity.service, entity.route, entity.environment)]


def stats_of(span_s: int, start_s: float, numbers: Sequence[Any]) -> WindowStats:
    """From the columns `NUMBER_COLUMNS`."""
    return WindowStats(float(start_s), span_s, *numbers)


def between(from_s: float, until_s: float) -> sql.Composed:
    """from_s ≤ start < until_s."""
    return sql.SQL("start_at >= {} AND start_at < {}").format(moment(from_s), moment(until_s))


def _upsert(table: str) -> sql.Composed:
    given = ", ".join(f"%b::{kind}[]" for kind in ("double precision", *_KINDS.values()))
    changed = ", ".join(f"{name} = excluded.{name}" for name in (*NUMBERS, *SKETCHES))
    picked = ", ".join(("to_timestamp(start_s)", *_KINDS))
    return sql.SQL(
        f"INSERT INTO {{}} ({', '.join(COLUMNS)}) SELECT {picked} FROM unnest({given}) "  # noqa: S608
        f"AS given (start_s, {', '.join(_KINDS)}) ON CONFLICT (start_at, entity) DO UPDATE SET {changed}"
    ).format(sql.Identifier(table))


_UPSERTS = {span_s: _upsert(divided.table) for span_s, divided in WINDOWS.items()}
