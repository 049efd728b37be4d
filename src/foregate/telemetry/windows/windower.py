"""Events in, windows out: pure, without a clock or I/O, so that the lab, training and the live analyzer share it.

Tumbling windows of 10 s, 1 m, 5 m and 15 m per entity in event time, and hopping ones of 1, 5 and 15 minutes every
10 s. The watermark is the newest event time seen: an event up to `LATE_EVENT_S` older still finds its window, an older
one is counted late. Nothing depends on how events are cut into batches or ordered (within that bound).
"""

from collections.abc import Iterable, Iterator
from math import inf, log

from foregate.kernel.limits import ENTITIES_MAX, LATE_EVENT_S
from foregate.telemetry.sketch import BUCKETS, MIN_MS, PER_LOG
from foregate.telemetry.tally import (
    BROKEN,
    CLIENT_ERRORS,
    ERRORS,
    LIMITED,
    REQUEST_BYTES,
    REQUESTS,
    RESPONSE_BYTES,
    RETRIES,
    TIMEOUTS,
    Tally,
    Window,
)
from foregate.telemetry.windows.hopping import HOP_MAX_S, HOPS_S, PANE_S, Hopping
from foregate.telemetry.windows.shelf import EntityWindows, Minutes, Shelf
from foregate.wire.entity import Entity
from foregate.wire.event import RequestEvent
from foregate.wire.window import SPANS_S, StoredWindow, Tick, WindowStats

OTHER_ROUTE = "other"  # takes the events of entities beyond the bound
_FUTURE_MAX_S = 300.0  # an event further ahead of `now_s` is invalid: its clock is wrong
_LATENCY_MAX_MS = 1e9  # a longer one (12 days) is not a measurement
_BYTES_MAX = 1 << 44  # 16 TB in one body is not one either
_SMALL_MAX = 1 << 24  # nor so many attempts, or requests at once
_STEP_MAX_S = 100  # a tick further on than this is computed from scratch
_SLACK_S = 120  # windows are kept so much longer than late events need: panes that have yet to leave the longest hop
_MINUTES_MAX = 200_000  # not yet given by closed_minutes
_FRESH_MAX = 50_000  # (entity, pane) pairs that events have touched and windows have not yet taken

RESTORE_S = LATE_EVENT_S + _SLACK_S + SPANS_S[-1]  # what `restore` needs: windows that started so long ago or later

_Key = tuple[str, str, str, str, int]


class Windower:
    """All windows of all entities. One thread.

    `counts`: every event given to `add` is exactly one of "accepted", "late" and "invalid"; "overflow" says how many of
    the accepted went to route "other" because `entities_max` was reached.
    `keep_dirty=False` is for those who never call `drain_dirty`.
    """

    def __init__(self, *, entities_max: int = ENTITIES_MAX, keep_dirty: bool = True) -> None:
        self.counts = {"accepted": 0, "late": 0, "invalid": 0, "overflow": 0}
        self._entities_max = entities_max
        self._keep_dirty = keep_dirty
        self.start_over()

    def start_over(self) -> None:
        """Forget all windows and the watermark; `counts` go on. Call `drain_dirty` before, and `restore` after it."""
        self._watermark_s = 0.0
        self._fresh: dict[_Key, Tally] = {}
        self._shelf = Shelf()
        self._hopping = Hopping()
        self._hop_end_s: int | None = None
        self._dirty: dict[Window, Entity] = {}
        self._minutes = Minutes(_MINUTES_MAX)

    @property
    def watermark_s(self) -> float:
        """The newest event time seen (Unix seconds), never ahead of the `now_s` given with it; 0 before the first."""
        return self._watermark_s

    def add(self, events: Iterable[RequestEvent], now_s: float) -> None:
        """Count events, in any order. Those of the far future or with impossible numbers count as invalid."""
        fresh = self._fresh
        watermark_s, future_s = self._watermark_s, now_s + _FUTURE_MAX_S
        accepted = late = invalid = 0
        for event in events:
            time_s = event.time_s
            if not (time_s <= future_s and _possible(event)):  # NaN fails too
                invalid += 1
                continue
            if time_s > watermark_s:
                watermark_s = max(watermark_s, min(time_s, now_s))
            elif time_s < watermark_s - LATE_EVENT_S:
                late += 1
                continue
            accepted += 1
            key = (event.org, event.service, event.route, event.environment, int(time_s) // PANE_S * PANE_S)
            tally = fresh.get(key)
            if tally is None:
                tally = fresh[key] = Tally()
            _count(tally, event)
        self._watermark_s = watermark_s
        self.counts["accepted"] += accepted
        self.counts["late"] += late
        self.counts["invalid"] += invalid
        if len(fresh) > _FRESH_MAX:
            self._settle()

    def _settle(self) -> None:
        """Let the windows take what events have touched."""
        for (org, service, route, environment, start_s), tally in self._fresh.items():
            of = self._of(Entity(org, service, route, environment), tally)
            if of.first_s is None or start_s < of.first_s:
                of.first_s = start_s
            for span_s in SPANS_S:
                self._merge(of, span_s, start_s // span_s * span_s, tally)
            if self._hop_end_s is not None and start_s < self._hop_end_s:
                self._hopping.add_late(of.row, start_s, self._hop_end_s, tally)
        self._fresh.clear()
        horizon_s = int(self._watermark_s - LATE_EVENT_S - _SLACK_S) // PANE_S * PANE_S
        if horizon_s > self._shelf.horizon_s:
            self._shelf.put_to_sleep(self._watermark_s)
            for of in self._shelf.let_go(horizon_s):
                self._hopping.free_row(of.row)

    def _of(self, entity: Entity, tally: Tally) -> EntityWindows:
        of = self._shelf.entities.get(entity)
        if of is None and len(self._shelf.entities) >= self._entities_max:
            self.counts["overflow"] += tally.numbers[REQUESTS]
            # Services and environments come from the configuration, so this adds few rows beyond the bound.
            entity = Entity(entity.org, entity.service, OTHER_ROUTE, entity.environment)
            of = self._shelf.entities.get(entity)
        return of or self._new(entity)

    def _new(self, entity: Entity) -> EntityWindows:
        of = self._shelf.entities[entity] = EntityWindows(entity, self._hopping.take_row())
        return of

    def _merge(self, of: EntityWindows, span_s: int, start_s: int, tally: Tally) -> None:
        window, made = self._shelf.window(of, span_s, start_s)
        window.merge(tally)
        if self._keep_dirty:
            self._dirty[window] = of.entity
        if made and span_s == 60:
            self._minutes.put(of.entity, window)

    def drain_dirty(self) -> list[StoredWindow]:
        """The windows that changed since the last call, as they are now."""
        self._settle()
        stored = [StoredWindow(entity, window.stats(), *window.encoded) for window, entity in self._dirty.items()]
        self._dirty.clear()
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

    def restore(self, stored: Iterable[StoredWindow], now_s: float = inf) -> None:
        """Take back windows of any span from the series store, before the first `add`.

        All that started within `RESTORE_S` before the start of the newest pane, or before `now_s` when that is earlier,
        must be among them. The watermark will not be ahead of `now_s`.
        """
        for window in stored:
            of = self._shelf.entities.get(window.entity) or self._new(window.entity)
            asleep = Window.restore(window.stats, window.latency, window.upstream)
            self._shelf.put(of, asleep)
            if asleep.span_s == 60:
                self._minutes.put(of.entity, asleep)
            if asleep.span_s == PANE_S:
                self._watermark_s = max(self._watermark_s, min(window.stats.start_s, now_s))
                of.first_s = min(asleep.start_s, of.first_s if of.first_s is not None else asleep.start_s)
        self._hop_end_s = None


def _minutes_seen(of: EntityWindows, end_s: int) -> float:
    first_s = end_s if of.first_s is None else of.first_s
    return max(0.0, min(end_s - first_s, HOP_MAX_S) / 60.0)


def _possible(event: RequestEvent) -> bool:
    """Whether the numbers can have been measured: nothing a hostile or broken sender says may overflow a sum."""
    return (
        event.time_s >= 0.0
        and 0.0 <= event.latency_ms <= _LATENCY_MAX_MS
        and 0 <= event.request_bytes <= _BYTES_MAX
        and 0 <= event.response_bytes <= _BYTES_MAX
        and 0 <= event.attempts <= _SMALL_MAX
        and 0 <= event.inflight <= _SMALL_MAX
    )


def _count(tally: Tally, event: RequestEvent) -> None:
    """One event into a tally: `tally`'s docstring says what goes where. This is the hot path, hence its looks."""
    numbers = tally.numbers
    status = event.status
    numbers[REQUESTS] += 1
    numbers[REQUEST_BYTES] += event.request_bytes
    numbers[RESPONSE_BYTES] += event.response_bytes
    attempts = event.attempts
    refused = attempts == 0 and event.error != ""
    if attempts > 1:
        numbers[RETRIES] += attempts - 1
    if event.limit == "refused":
        numbers[LIMITED] += 1
        refused = True
    elif 400 <= status < 499:
        numbers[CLIENT_ERRORS] += 1
    if event.breaker == "open":
        numbers[BROKEN] += 1
        refused = True
    if status >= 500 or (event.error and status < 400):  # `RequestEvent.failed`, without its call
        numbers[ERRORS] += 1
        if event.error == "upstream_timeout":
            numbers[TIMEOUTS] += 1
    if event.inflight > tally.inflight_max:
        tally.inflight_max = event.inflight
    if not refused:
        _add(tally.latency.buckets, event.latency_ms)
        tally.latency.sum_us += int(event.latency_ms * 1000.0 + 0.5)
    upstream_ms = event.upstream_ms
    if attempts and 0.0 < upstream_ms <= _LATENCY_MAX_MS:
        _add(tally.upstream.buckets, upstream_ms)
        tally.upstream.sum_us += int(upstream_ms * 1000.0 + 0.5)


def _add(buckets: dict[int, int], value_ms: float) -> None:
    """`Sketch.add` without its call."""
    bucket = 0
    if value_ms > MIN_MS:
        bucket = min(int(log(value_ms / MIN_MS) * PER_LOG) + 1, BUCKETS - 1)
    buckets[bucket] = buckets.get(bucket, 0) + 1
