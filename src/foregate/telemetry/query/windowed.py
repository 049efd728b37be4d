"""Answers from windows: merged, never averaged.

A question over few routes reads their windows once. One over many first ranks the routes by their numbers alone, and
then reads the sketches of the largest; one over all routes together reads the totals, and route by route only what has
none yet.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from heapq import nsmallest
from math import ceil, floor
from typing import NamedTuple

from msgspec.structs import replace

from foregate.kernel.errors import ForegateError
from foregate.ports.series import Number, Sketches
from foregate.telemetry.facets import CLASSES, counts_of, keys_of, latencies_by_class
from foregate.telemetry.query.cells import (
    COUNTED,
    OF_FACETS,
    OF_LATENCY,
    OF_SKETCHES,
    OF_UPSTREAM,
    Cell,
    parts_of,
    step_starts,
)
from foregate.telemetry.query.plan import QUARTER_S, Known, Piece, pieces
from foregate.telemetry.query.recent import RecentReader
from foregate.telemetry.query.rolled import by_class, chosen, holds, of_all_routes
from foregate.wire.ask import Answer, Ask, Measure, Series
from foregate.wire.entity import Entity
from foregate.wire.window import SPANS_S, TOTALLED_S, StoredWindow

FEW_ENTITIES = 20  # so many are read at once, without ranking them first
PRECISION = 96  # the ends of a range may be moved outwards by its 96th part, to whole windows
FACETS_SPAN_MIN_S = 60  # panes of 10 s have none
AT_ONCE_MAX = 20_000  # windows with sketches held at a time, at most some 40 MB; at least one of each route
COUNTED_OR_MAX: Mapping[Measure, Number] = {**COUNTED, "max_ms": "max_ms"}  # what can be ranked by numbers alone
Group = tuple[str, ...]
Cells = dict[tuple[Group, int], Cell]  # by group and step, the step's beginning in seconds (0 without steps)


class Bounds(NamedTuple):
    """Beyond either the question is refused with `query_too_large`."""

    windows_max: int = 300_000  # with sketches: up to 2 KB and 20 µs each
    sums_max: int = 2_000_000  # numbers alone


class Windowed:
    """One question. `check` is called between pieces; it raises when the answer is not wanted any more."""

    def __init__(self, reader: RecentReader, ask: Ask, known: Known, bounds: Bounds, check: Callable[[], None]) -> None:
        self._reader = reader
        self._bounds = bounds
        self._check = check
        self._known = known
        self._org = None if ask.org == "*" else ask.org
        self._wanted: frozenset[Measure] = frozenset({*ask.measures, ask.order})
        self._by_class = by_class(ask)
        self._by_key = "key_id" in ask.group_by
        self._sketches = self._to_read()
        self._ask = self._widened(ask)
        self.read = 0

    def _to_read(self) -> Sketches:
        if self._by_class or self._by_key or self._wanted & (OF_UPSTREAM | OF_FACETS):
            return "all"
        return "latency" if self._wanted & OF_LATENCY else "none"

    def _widened(self, ask: Ask) -> Ask:
        """Ends on a grid that is fine enough for the range: fewer windows, and fewer different questions."""
        from_s, until_s = ask.from_s, ask.until_s
        fine = [s for s in SPANS_S if s <= (until_s - from_s) / PRECISION and (not ask.step_s or ask.step_s % s == 0)]
        if not fine:
            return ask
        from_s = floor(from_s / fine[-1]) * fine[-1]
        if until_s < self._known.now_s:
            until_s = ceil(until_s / fine[-1]) * fine[-1]
        return replace(ask, from_s=from_s, until_s=until_s)

    def answer(self) -> Answer | None:
        """None when windows that fit are not kept for all of the range."""
        ask, known = self._ask, self._known
        facets = self._by_class or self._by_key or self._wanted & OF_FACETS
        plan = pieces(ask.from_s, ask.until_s, ask.step_s, known, FACETS_SPAN_MIN_S if facets else 10)
        if plan is None:
            return None
        everybody = self._reader.entities()
        left = chosen([one for one in everybody if self._org in (None, one.org)], ask.filters)
        cells, left_out = self._gathered(plan, left, everything=len(left) == len(everybody))
        open_end = ask.until_s >= known.now_s
        self._ask = replace(ask, from_s=plan[0].from_s, until_s=ask.until_s if open_end else plan[-1].until_s)
        return self._answered(cells, left_out)

    def _gathered(self, plan: Sequence[Piece], left: Sequence[Entity], *, everything: bool) -> tuple[Cells, int]:
        ask = self._ask
        if of_all_routes(ask):
            return self._over_all_routes(plan, left, everything=everything), 0
        if len(left) <= max(ask.top, FEW_ENTITIES) or ask.order in OF_SKETCHES or self._by_class or self._by_key:
            return self._scanned(plan, left, everything=everything), 0
        group_of = {one: self._group(one) for one in left}
        found = self._to_rank(plan, group_of)
        groups = set(nsmallest(ask.top, found, key=lambda group: (-found[group], group)))
        largest = [one for one, group in group_of.items() if group in groups]
        return self._scanned(plan, largest, everything=False), len(found) - len(groups)

    def _to_rank(self, plan: Sequence[Piece], group_of: Mapping[Entity, Group]) -> Mapping[Group, float]:
        """What the groups are ordered by: from numbers alone."""
        order = self._ask.order
        found = self._added("requests" if order in ("rps", "error_rate") else COUNTED_OR_MAX[order], plan, group_of)
        if order == "error_rate":
            errors = self._added("errors", plan, group_of)
            return {group: errors.get(group, 0.0) / requests for group, requests in found.items() if requests}
        return found

    def _added(self, number: Number, plan: Sequence[Piece], group_of: Mapping[Entity, Group]) -> dict[Group, float]:
        """What is over is added up once a minute, what is open is put on top of it."""
        closed_s = self._reader.closed_s()
        over = tuple(part for piece in plan if (part := piece.until(closed_s)).windows)
        key = (number, self._org, self._ask.group_by, self._ask.filters, over)
        found = dict(self._reader.folded(key, lambda: self._summed(number, over, group_of)))
        still_open = [part for piece in plan if (part := piece.since(closed_s)).windows]
        for group, value in self._summed(number, still_open, group_of).items():
            _put(found, group, value, number)
        return found

    def _summed(self, number: Number, plan: Sequence[Piece], group_of: Mapping[Entity, Group]) -> dict[Group, float]:
        found: dict[Group, float] = {}
        for piece in plan:
            self._check()
            sums = self._reader.sums(number, *piece, org=self._org, rows_max=self._bounds.sums_max)
            for entity, value in sums:
                group = group_of.get(entity)
                if group is not None:
                    _put(found, group, value, number)
            self.read += len(sums)
        return found

    def _over_all_routes(self, plan: Sequence[Piece], left: Sequence[Entity], *, everything: bool) -> Cells:
        cells: Cells = {}
        chosen_totals = {(one.org, one.environment) for one in left}
        for piece in plan:
            for part, totalled in self._parts(piece):
                self._check()
                if totalled:
                    found = self._reader.totals(*part, org=self._org)
                    self._add(
                        cells, (one for one in found if (one.entity.org, one.entity.environment) in chosen_totals)
                    )
                else:
                    self._scan(cells, part, left, everything=everything)
        return cells

    def _parts(self, piece: Piece) -> Iterable[tuple[Piece, bool]]:
        """A piece, split where totals are there and where not."""
        if piece.span_s not in TOTALLED_S:
            return [(piece, False)]
        if piece.span_s > QUARTER_S:
            return [(piece, True)]  # else it would be in quarters
        parts: list[tuple[Piece, bool]] = []
        at = piece.from_s
        for stale_s in map(int, self._reader.stale(piece.from_s, piece.until_s, QUARTER_S)):
            parts += [(Piece(QUARTER_S, at, stale_s), True)] if at < stale_s else []
            parts.append((Piece(QUARTER_S, stale_s, stale_s + QUARTER_S), False))
            at = stale_s + QUARTER_S
        return parts + ([(Piece(QUARTER_S, at, piece.until_s), True)] if at < piece.until_s else [])

    def _scanned(self, plan: Sequence[Piece], entities: Collection[Entity], *, everything: bool) -> Cells:
        cells: Cells = {}
        for piece in plan:
            self._scan(cells, piece, entities, everything=everything)
        return cells

    def _scan(self, cells: Cells, piece: Piece, entities: Collection[Entity], *, everything: bool) -> None:
        """Add the windows of these entities, some thousand at a time. `everything`: there are no others, as far as is
        known; a new one may have come since, and is left out."""
        entities = frozenset(entities)
        length_s = max(1, AT_ONCE_MAX // max(1, len(entities))) * piece.span_s
        for from_s in range(piece.from_s, piece.until_s, length_s):
            self._check()
            part = Piece(piece.span_s, from_s, min(from_s + length_s, piece.until_s))
            room = self._bounds.windows_max - self.read
            given = None if everything else entities
            found = self._reader.scan(*part, entities=given, rows_max=room + 1, sketches=self._sketches)
            if len(found) > room:
                raise self._too_many(piece)
            self.read += len(found)
            self._add(cells, (one for one in found if one.entity in entities))

    def _too_many(self, piece: Piece) -> ForegateError:
        return ForegateError(
            "query_too_large",
            f"It would read more than {self._bounds.windows_max:,} windows ({piece.windows:,} windows of "
            f"{piece.span_s} s of each route): ask for a shorter range, for fewer routes by a filter, or order by "
            "a count instead of a quantile.",
        )

    def _add(self, cells: Cells, windows: Iterable[StoredWindow]) -> None:
        step_s, groups = self._ask.step_s, dict[Entity, Group]()
        parts = parts_of(self._wanted)
        for window in windows:
            step = int(window.stats.start_s) // step_s * step_s if step_s else 0
            if self._by_key:
                self._add_keys(cells, window, step)
            elif self._by_class:
                self._add_classes(cells, window, step)
            else:
                group = groups.get(window.entity)
                if group is None:
                    group = groups[window.entity] = self._group(window.entity)
                self._cell(cells, group, step).add(window, parts)

    def _add_classes(self, cells: Cells, window: StoredWindow, step: int) -> None:
        given = [one for one in self._ask.filters if one.field == "status_class"]
        classes = [c for c in CLASSES if all(holds(one, f"{c}xx") for one in given)]
        latencies = latencies_by_class(window) if self._wanted & OF_LATENCY else {}
        counts = counts_of(window.facets)
        for status_class in classes:
            requests = counts[status_class - 1]
            if requests:
                cell = self._cell(cells, self._group(window.entity, f"{status_class}xx"), step)
                cell.numbers[0] += requests
                if status_class in latencies:
                    cell.latency.merge(latencies[status_class])

    def _add_keys(self, cells: Cells, window: StoredWindow, step: int) -> None:
        """A step's keys are merged in one place first: dropping the small ones must not depend on the group."""
        self._cell(cells, ("",), step).keys.merge(keys_of(window.facets))

    def _cell(self, cells: Cells, group: Group, step: int) -> Cell:
        cell = cells.get((group, step))
        if cell is None:
            cell = cells[group, step] = Cell()
        return cell

    def _group(self, entity: Entity, status_class: str = "") -> Group:
        return tuple(status_class if name == "status_class" else getattr(entity, name) for name in self._ask.group_by)

    def _answered(self, cells: Cells, left_out: int) -> Answer:
        ask = self._ask
        error = 0
        if self._by_key:
            cells, error = _of_keys(cells)
        whole: dict[Group, Cell] = {}
        for (group, _), cell in cells.items():
            whole.setdefault(group, Cell()).merge(cell)
        ranked = sorted(whole, key=lambda group: _rank(whole[group], ask.order, group))
        shown = ranked[: ask.top]
        steps = step_starts(ask)
        until_s = min(ask.until_s, self._known.now_s)
        series = [self._series(group, whole[group], cells, steps, until_s) for group in shown]
        approximate = sorted(self._wanted & OF_FACETS) + (["requests"] if error else [])
        return Answer(
            tuple(series), True, left_out + len(ranked) - len(shown), until_s, self.read, ask.from_s, tuple(approximate)
        )

    def _series(
        self, group: Group, whole: Cell, cells: Mapping[tuple[Group, int], Cell], steps: Sequence[float], until_s: float
    ) -> Series:
        ask = self._ask
        values = tuple(
            tuple(
                cell.value(measure, min(until_s, start_s + ask.step_s) - max(ask.from_s, start_s))
                if (cell := cells.get((group, int(start_s)))) is not None
                else None
                for start_s in steps
            )
            for measure in ask.measures
        )
        over = tuple(whole.value(measure, until_s - ask.from_s) for measure in ask.measures)
        return Series(group, over, tuple(steps), values if steps else ())


def _put(found: dict[Group, float], group: Group, value: float, number: Number) -> None:
    before = found.get(group, 0)
    found[group] = max(before, value) if number == "max_ms" else before + value


def _of_keys(cells: Cells) -> tuple[Cells, int]:
    """The keys of each step as groups, and how much too low a count may be."""
    found: Cells = {}
    error = 0
    for (_, step), cell in cells.items():
        for name, count in cell.keys.counts.items():
            made = found[(name,), step] = Cell()
            made.numbers[0] = count
        error += cell.keys.error_max
    return found, error


def _rank(cell: Cell, order: Measure, group: Group) -> tuple[float, Group]:
    """Falling, and by name where they are alike; who has no value comes last."""
    value = cell.value(order, 1.0)
    return (float("inf") if value is None else -value), group
