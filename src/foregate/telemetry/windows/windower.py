"""Events in, windows out: pure, without a clock or I/O, so that the lab, training and the live analyzer share it.

Tumbling windows of 10 s, 1 m, 5 m and 15 m per entity in event time, and hopping ones of 1, 5 and 15 minutes every
10 s. The watermark is the newest event time seen: an event up to `LATE_EVENT_S` older still finds its window, an older
one is counted late, unless it is said to be of the past. Nothing depends on how events are cut into batches or ordered
(within that bound). docs/explanations/windows.md is the definition.
"""

from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import NamedTuple

import numpy as np

from foregate.kernel.limits import ENTITIES_MAX, LATE_EVENT_S
from foregate.telemetry.facets import Facets
from foregate.telemetry.tally import REQUESTS, Tally, Window
from foregate.telemetry.windows.columns import Columns, Encoder, EntityKey, Flags, Floats
from foregate.telemetry.windows.fold import PANE_S, Folded, fold, possible
from foregate.telemetry.windows.hopping import HOP_MAX_S, HOPS_S, Hopping
from foregate.telemetry.windows.shelf import EntityWindows, Minutes, Shelf
from foregate.wire.entity import Entity
from foregate.wire.event import RequestEvent
from foregate.wire.window import SPANS_S, StoredWindow, Tick, WindowStats

OTHER = "other"  # the route that takes the events of entities beyond the bound, one per service and environment …
_OTHERS_MAX = 5_000  # … and beyond so many of these, which senders name, one for all that is left of an organisation
FUTURE_MAX_S = 300.0  # an event further ahead of `now_s` is invalid: its clock is wrong
_STEP_MAX_S = 100  # a tick further on than this is computed from scratch
_SLACK_S = 120  # windows are kept so much longer than late events need: panes that have yet to leave the longest hop
_MINUTES_MAX = 200_000  # not yet given by closed_minutes
_FRESH_MAX = 50_000  # (entity, pane) pairs that events have touched and windows have not yet taken
_FACETS_FROM_S = 60  # shorter windows have none

RESTORE_S = LATE_EVENT_S + _SLACK_S + SPANS_S[-1]  # what `restore` needs: windows that started so long ago or later


class WindowKey(NamedTuple):
    """Which window, of all there are."""

    entity: Entity
    span_s: int
    start_s: int


_PaneKey = tuple[EntityKey, int]


class _Fresh:
    """What was folded and is not in windows yet."""

    def __init__(self) -> None:
        self.panes: dict[_PaneKey, Tally] = {}
        self.minutes: dict[_PaneKey, Facets] = {}

    def take(self, folded: Folded) -> None:
        for entity, start_s, tally in folded.panes:
            mine = self.panes.setdefault((entity, start_s), tally)
            if mine is not tally:
                mine.merge(tally)
        for entity, start_s, facets in folded.minutes:
            known = self.minutes.setdefault((entity, start_s), facets)
            if known is not facets:
                known.merge(facets)


class Windower:
    """All windows of all entities. One thread.

    `counts`: every event given to `add` or `add_past` is exactly one of "accepted", "late" and "invalid"; "overflow"
    says how many of the accepted went to route "other" because `entities_max` was reached.
    `keep_dirty=False` is for those who never call `drain_dirty` nor `add_past`; they get no facets either.
    """

    def __init__(self, *, entities_max: int = ENTITIES_MAX, keep_dirty: bool = True) -> None:
        self.counts = {"accepted": 0, "late": 0, "invalid": 0, "overflow": 0}
        self._entities_max = entities_max
        self._keep_dirty = keep_dirty
        self._encoder = Encoder()
        self.start_over()

    def start_over(self) -> None:
        """Forget all windows and the watermark; `counts` go on. Call `drain_dirty` before, and `restore` after it."""
        self._watermark_s = 0.0
        self._fresh = _Fresh()
        self._past = _Fresh()
        self._past_entities: set[Entity] = set()
        self._ahead_s = 0
        self._shelf = Shelf()
        self._hopping = Hopping()
        self._hop_end_s: int | None = None
        self._dirty: dict[WindowKey, Window] = {}
        self._minutes = Minutes(_MINUTES_MAX)

    @property
    def watermark_s(self) -> float:
        """The newest event time seen (Unix seconds), never ahead of the `now_s` given with it; 0 before the first."""
        return self._watermark_s

    @property
    def dirty(self) -> int:
        """How many windows `drain_dirty` will give at most; more, while there are events they have yet to take."""
        return len(self._dirty) + len(SPANS_S) * (len(self._fresh.panes) + len(self._past.panes))

    def add(self, events: Sequence[RequestEvent], now_s: float | Floats) -> None:
        """Count events, in any order. Those of the far future or with impossible numbers count as invalid.

        `now_s`: when they arrived, of all of them or of each.
        """
        if not events:
            return
        columns, now = self._encoder.columns(events), np.broadcast_to(np.asarray(now_s, np.float64), len(events))
        fine = possible(columns, now + FUTURE_MAX_S)
        believed_s = np.where(fine, np.minimum(columns.time_s, now), -inf)
        newest_s = np.maximum.accumulate(np.concatenate(([self._watermark_s], believed_s)))
        late = fine & (columns.time_s < newest_s[:-1] - LATE_EVENT_S)
        self._watermark_s = float(newest_s[-1])
        self.counts["late"] += int(late.sum())
        self.counts["invalid"] += len(events) - int(fine.sum())
        self._take(self._fresh, columns, fine & ~late)

    def add_past(self, events: Sequence[RequestEvent], now_s: float | Floats) -> None:
        """Count events of the past, however old: none is late, and none moves the watermark.

        Those that `add` would not call late go where it lets its own go. Others change windows that are no longer here:
        see `unknown`.
        """
        if not events:
            return
        columns, now = self._encoder.columns(events), np.broadcast_to(np.asarray(now_s, np.float64), len(events))
        fine = possible(columns, now + FUTURE_MAX_S)
        live = (columns.time_s >= self._watermark_s - LATE_EVENT_S) & (columns.time_s <= self._watermark_s)
        self.counts["invalid"] += len(events) - int(fine.sum())
        self._take(self._fresh, columns, fine & live)
        self._take(self._past, columns, fine & ~live)

    def _take(self, fresh: _Fresh, columns: Columns, chosen: Flags) -> None:
        accepted = np.flatnonzero(chosen)
        self.counts["accepted"] += len(accepted)
        fresh.take(fold(columns if len(accepted) == columns.events else columns.at(accepted), facets=self._keep_dirty))
        if len(self._fresh.panes) + len(self._past.panes) > _FRESH_MAX:
            self._settle()

    def _settle(self) -> None:
        """Let the windows take what events have touched."""
        for (key, start_s), tally in self._fresh.panes.items():
            of = self._of(key, tally)
            if of.first_s is None or start_s < of.first_s:
                of.first_s = start_s
            for span_s in SPANS_S:
                self._live(of, span_s, start_s // span_s * span_s).merge(tally)
            self._hop_late(of, start_s, tally)
        for (key, start_s), facets in self._fresh.minutes.items():
            of = next(filter(None, map(self._shelf.entities.get, _choices(key))))
            for span_s in SPANS_S[1:]:
                self._live(of, span_s, start_s // span_s * span_s).merge_facets(facets)
        self._fresh = _Fresh()
        self._settle_past()
        horizon_s = int(self._watermark_s - LATE_EVENT_S - _SLACK_S) // PANE_S * PANE_S
        if horizon_s > self._shelf.horizon_s:
            self._shelf.put_to_sleep(self._watermark_s)
            for gone in self._shelf.let_go(horizon_s):
                self._hopping.free_row(gone.row)

    def _settle_past(self) -> None:
        for (key, start_s), tally in self._past.panes.items():
            entity = self._past_entity(key, tally)
            for span_s in SPANS_S:
                window = self._any(WindowKey(entity, span_s, start_s // span_s * span_s))
                window.merge(tally)
            of = self._shelf.entities.get(entity)
            if of is not None and (PANE_S, start_s) in of.windows:
                self._hop_late(of, start_s, tally)
        for (key, start_s), facets in self._past.minutes.items():
            entity = self._past_entity(key, None)
            for span_s in SPANS_S[1:]:
                self._any(WindowKey(entity, span_s, start_s // span_s * span_s)).merge_facets(facets)
        self._past = _Fresh()

    def _hop_late(self, of: EntityWindows, start_s: int, tally: Tally) -> None:
        if self._hop_end_s is not None and start_s < self._hop_end_s:
            self._hopping.add_late(of.row, start_s, self._hop_end_s, tally)

    def _of(self, key: EntityKey, tally: Tally) -> EntityWindows:
        entity, other, last = _choices(key)
        of = self._shelf.entities.get(entity)
        if of is None and len(self._shelf.entities) >= self._entities_max:
            self.counts["overflow"] += tally.numbers[REQUESTS]
            room = len(self._shelf.entities) < self._entities_max + _OTHERS_MAX
            entity = other if room or other in self._shelf.entities else last
            of = self._shelf.entities.get(entity)
        return of or self._new(entity)

    def _past_entity(self, key: EntityKey, tally: Tally | None) -> Entity:
        """The same bound, for entities of the past between two drains."""
        entity, other, last = _choices(key)
        for choice, most in ((entity, self._entities_max), (other, self._entities_max + _OTHERS_MAX)):
            if choice in self._shelf.entities or choice in self._past_entities:
                break
            if len(self._past_entities) < most and tally is not None:
                self._past_entities.add(choice)
                break
        else:
            choice = last
        self.counts["overflow"] += tally.numbers[REQUESTS] if tally is not None and choice != entity else 0
        return choice

    def _new(self, entity: Entity) -> EntityWindows:
        of = self._shelf.entities[entity] = EntityWindows(entity, self._hopping.take_row())
        return of

    def _live(self, of: EntityWindows, span_s: int, start_s: int) -> Window:
        """A window of the shelf, made when it is not there."""
        window, key = of.windows.get((span_s, start_s)), WindowKey(of.entity, span_s, start_s)
        if window is None:
            window = self._dirty.get(key) or Window(start_s, span_s, whole=start_s >= self._ahead_s)
            self._shelf.put(of, window)
            if span_s == 60:
                self._minutes.put(of.entity, window)
        self._shelf.touch(window)
        if self._keep_dirty:
            self._dirty[key] = window
        return window

    def _any(self, key: WindowKey) -> Window:
        """A window of the shelf, or one that is on its way to the store and has to be added to what is there."""
        window = self._shelf.find(*key)
        if window is not None:
            self._shelf.touch(window)
        else:
            window = self._dirty.get(key) or Window(key.start_s, key.span_s, whole=False)
            self._ahead_s = max(self._ahead_s, window.end_s)
        self._dirty[key] = window
        return window

    def unknown(self) -> list[WindowKey]:
        """The windows that are on their way to the store without what it has of them. Call `learn` before draining."""
        self._settle()
        return [key for key, window in self._dirty.items() if not window.whole]

    def learn(self, stored: Iterable[StoredWindow]) -> None:
        """Add what the store has of those that are `unknown`; of the others there it has nothing."""
        for found in stored:
            key = WindowKey(found.entity, found.stats.span_s, int(found.stats.start_s))
            window = self._dirty.get(key)
            if window is None or window.whole:
                continue
            tally = Tally.of(found)
            window.merge(tally)
            of = self._shelf.entities.get(key.entity)
            if of is not None and key.span_s == PANE_S and (PANE_S, key.start_s) in of.windows:
                self._hop_late(of, key.start_s, tally)
        for window in self._dirty.values():
            window.whole = True

    def drain_dirty(self) -> list[StoredWindow]:
        """The windows that changed since the last call, as they are now. Raises ValueError while some are `unknown`."""
        if self.unknown():
            raise ValueError("windows of the past must be added to what is stored of them")
        stored = [StoredWindow(key.entity, window.stats(), *window.encoded) for key, window in self._dirty.items()]
        self._dirty.clear()
        self._past_entities.clear()
        return stored

    def closed_minutes(self, until_s: float) -> list[tuple[Entity, WindowStats]]:
        """One-minute windows that ended at or before `until_s` and were not given yet, by (start, entity).

        Minutes without any request do not exist. An event that comes later still changes the stored window, but the
        minute is not given again. After `restore` the first call gives the restored minutes too.
        """
        self._settle()
        return [(entity, window.stats()) for entity, window in self._minutes.take(until_s)]

    def ticks(self, time_s: float) -> list[Tick]:
        """Hopping windows ending at `time_s` (a multiple of 10) of entities with a request in the last 15 minutes.

        By entity. Cheap when called for one 10 s step after the other; from scratch otherwise.
        """
        end_s = int(time_s)
        if end_s != time_s or end_s % PANE_S:
            raise ValueError(f"ticks are at multiples of {PANE_S} s, not at {time_s}")
        self._settle()
        self._hop_to(end_s)
        by_row = {of.row: of for of in self._shelf.entities.values()}
        found = [
            Tick(float(end_s), by_row[row].entity, *windows, _minutes_seen(by_row[row], end_s))
            for row, windows in self._hopping.stats(list(by_row), end_s)
        ]
        return sorted(found, key=lambda tick: tick.entity)

    def _hop_to(self, end_s: int) -> None:
        was_s = self._hop_end_s
        rows = [of.row for of in self._shelf.entities.values()]
        follows = was_s is not None and 0 <= end_s - was_s <= _STEP_MAX_S
        if was_s is None or not follows or was_s - HOP_MAX_S < self._shelf.horizon_s:
            self._hopping.clear(rows)
            was_s = end_s - 2 * HOP_MAX_S  # nothing of that is in: all panes enter, none leaves
            self._hopping.move(self._entering(was_s, end_s))
        else:
            self._hopping.forget_panes(rows, range(was_s, end_s, PANE_S))
            self._hopping.move(self._leaving(was_s, end_s))
            self._hopping.move(self._entering(was_s, end_s))
        self._hop_end_s = end_s

    def _entering(self, was_s: int, end_s: int) -> Iterator[tuple[int, int, int, Window]]:
        starts = [range(max(was_s, end_s - span_s), end_s, PANE_S) for span_s in HOPS_S]
        return self._panes(starts, 1)

    def _leaving(self, was_s: int, end_s: int) -> Iterator[tuple[int, int, int, Window]]:
        starts = [range(was_s - span_s, min(end_s - span_s, was_s), PANE_S) for span_s in HOPS_S]
        return self._panes(starts, -1)

    def _panes(self, starts: list[range], sign: int) -> Iterator[tuple[int, int, int, Window]]:
        for of in self._shelf.entities.values():
            windows, row = of.windows, of.row
            for hop, panes in enumerate(starts):
                for start_s in panes:
                    pane = windows.get((PANE_S, start_s))
                    if pane is not None:
                        yield row, hop, sign, pane

    def restore(self, stored: Iterable[StoredWindow], now_s: float = inf, *, ahead_s: float = 0.0) -> None:
        """Take back windows of any span from the series store, before the first `add`.

        All that started within `RESTORE_S` before the start of the newest pane, or before `now_s` when that is earlier,
        must be among them. The watermark will not be ahead of `now_s`. `ahead_s`: where the store's windows end: one
        that is made before it may be in the store already.
        """
        self._ahead_s = max(self._ahead_s, int(ahead_s))
        for window in stored:
            of = self._shelf.entities.get(window.entity) or self._new(window.entity)
            asleep = Window.restore(window)
            self._shelf.put(of, asleep)
            if asleep.span_s == 60:
                self._minutes.put(of.entity, asleep)
            if asleep.span_s == PANE_S:
                self._watermark_s = max(self._watermark_s, min(window.stats.start_s, now_s))
                of.first_s = min(asleep.start_s, of.first_s if of.first_s is not None else asleep.start_s)
        self._hop_end_s = None

    def resume(self, watermark_s: float) -> None:
        """Go on at this watermark, when it is ahead of what `restore` has found."""
        self._watermark_s = max(self._watermark_s, watermark_s)


def _minutes_seen(of: EntityWindows, end_s: int) -> float:
    first_s = end_s if of.first_s is None else of.first_s
    return max(0.0, min(end_s - first_s, HOP_MAX_S) / 60.0)


def _choices(key: EntityKey) -> tuple[Entity, Entity, Entity]:
    """Whose windows an event of this entity may change: the first for whom there is room."""
    org, service, _, environment = key
    return Entity(*key), Entity(org, service, OTHER, environment), Entity(org, OTHER, OTHER, OTHER)
