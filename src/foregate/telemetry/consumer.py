"""The analyzer's reader: bus → windower → series store, exactly once.

One `step` reads what is new; the windows that changed, the offsets they cover and the accounts are written in one
transaction. After kill -9 the store is therefore at some whole step; the next consumer takes the open windows back and
reads on from those offsets. Events of the past (`TOPIC_HISTORY`) are added to windows that are stored, in the same way.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from foregate.kernel.clock import Clock
from foregate.kernel.limits import LATE_EVENT_S
from foregate.ports.bus import Batch, Bus
from foregate.ports.series import SeriesReader, SeriesWriter
from foregate.telemetry.ledger import Ledger
from foregate.telemetry.reading import Reading, events_of
from foregate.telemetry.retention import SPANS_KEPT_S, Retention
from foregate.telemetry.rollup import merge_windows
from foregate.telemetry.windows import RESTORE_S, Windower, WindowKey
from foregate.wire import TOPIC_EVENTS, TOPIC_HISTORY
from foregate.wire.entity import Entity
from foregate.wire.event import RequestEvent
from foregate.wire.usage import Usage
from foregate.wire.window import ROLLED_UP_FROM, SPANS_S, StoredWindow, WindowStats

USAGE_RETENTION_S = 400 * 86_400.0  # of the ledger of AI traffic: a year, and the month that closes it
_BATCHES_MAX = 16  # per partition and step; `reading.ITEMS_MAX` bounds what they hold together
_PAST_BATCHES_MAX = 4  # of events of the past, so that they never keep those of now waiting
_UNWRITTEN_WINDOWS_MAX = 100_000  # events of the past beyond so many changed windows wait until these are written
_RESTORE_ROWS_MAX = 4_000_000
_AHEAD_S = 300.0  # windows that began so much ahead of the watermark are taken back, too
_STORED_APART_MAX = 4  # windows of an entity no further apart than so many spans are read as one range
_ROLL_UPS_MAX = 64  # made at a time
_ROLL_UP_AGAIN_S = 30.0  # where none was to be made
_ROLL_UP_SHARE = 0.05  # of the time at most
_WRITE_SHARE = 0.2  # of the time at most; windows that are read again and again are not written each time
_WRITE_EVERY_MAX_S = 10.0  # but at least so often
# Beside the offsets stands how far event time has come, in microseconds: the newest window may be one of the past.
_EVENT_TIME = "event_time"
_ROLLED_INTO = {part_s: span_s for span_s, part_s in ROLLED_UP_FROM.items()}


_Add = Callable[[Sequence[RequestEvent], npt.NDArray[np.float64]], None]


class _Write(NamedTuple):
    """What is owed to the store."""

    windows: Sequence[StoredWindow]
    offsets: Mapping[tuple[str, int], int]
    counts: Mapping[str, int]
    usage: Sequence[Usage]


class Consumer:
    """Makes windows of what is on the bus. One thread, one process.

    Takes the open windows back from `reader` when it is made; `windower` must be new. Raises OSError when a store
    cannot be read or written; `step` may then be called again, nothing is lost or counted twice.
    """

    def __init__(
        self,
        bus: Bus,
        writer: SeriesWriter,
        reader: SeriesReader,
        windower: Windower,
        clock: Clock,
        retention: Retention | None = None,
    ) -> None:
        self.windower = windower
        self.caught_up = False  # whether the last step read all there was of now
        self.clock_set_back = 0  # how often windows began anew because the clock was
        self.lost_batches = 0  # deleted at the bus's bound before they were read, as the gaps in the offsets tell
        self._bus = bus
        self._writer = writer
        self._reader = reader
        self._clock = clock
        self._retention = retention or Retention()
        self._write_at_s = self._roll_up_at_s = clock.monotonic()
        self._newest_batch_s = 0.0
        self._begin()

    def _begin(self) -> None:
        """Where the store says. What was read beyond that is forgotten: it is read again, by us or by another."""
        self._ledger = Ledger()
        self._owed: _Write | None = None
        self._accounted = dict(self.windower.counts)
        self._invalid = self._lost = self._set_back = 0
        self._live = Reading(self._bus, TOPIC_EVENTS, self._writer.offsets(TOPIC_EVENTS))
        self._past = Reading(self._bus, TOPIC_HISTORY, self._writer.offsets(TOPIC_HISTORY))
        self._stored = {reading.topic: dict(reading.offsets) for reading in (self._live, self._past)}
        self._restore()

    def _restore(self) -> None:
        reached_s = self._reached_s()
        ahead_s = max(
            (newest_s + span_s for span_s in SPANS_S if (newest_s := self._writer.newest_s(span_s))), default=0
        )
        if reached_s is None:
            self.windower.restore((), ahead_s=ahead_s)
            return
        now_s = self._clock.now()
        known_s = reached_s
        if reached_s > now_s + LATE_EVENT_S:  # the clock was set back: that time will be lived through again
            known_s = now_s
        for span_s in SPANS_S:
            from_s, until_s = known_s - RESTORE_S, known_s + _AHEAD_S
            stored = self._reader.scan(span_s, from_s, until_s, rows_max=_RESTORE_ROWS_MAX)
            self.windower.restore(stored, known_s, ahead_s=ahead_s)
        if known_s == reached_s:
            self.windower.resume(reached_s)

    def _reached_s(self) -> float | None:
        """How far event time had come. A store of before that was kept says it by its newest pane."""
        kept = self._writer.offsets(_EVENT_TIME)
        ours = [kept[partition] / 1e6 for partition in self._live.partitions if partition in kept]
        return max(ours) if ours else self._writer.newest_s(SPANS_S[0])

    def _follow_bus(self) -> None:
        """Where other partitions are ours by now, begin anew with what the store has of them."""
        if self._live.reassigned or self._past.reassigned:
            self.windower.start_over()
            self._begin()

    def _follow_clock(self) -> None:
        """Where the clock was set back so far that all new events would be late, begin anew at its time."""
        now_s = self._clock.now()
        if now_s >= self.windower.watermark_s - LATE_EVENT_S:
            return
        self._write()
        self.windower.start_over()
        self._restore()
        self.windower.closed_minutes(now_s)  # they were given before
        self.clock_set_back += 1
        self._set_back += 1

    def step(self) -> int:
        """Read what is new, window it, store it. Returns how many items were read (0: nothing new)."""
        if self._owed is not None:
            self._pay(self._owed)
        self._follow_bus()
        self._follow_clock()
        batches = self._live.next(_BATCHES_MAX)
        self.caught_up = self._live.caught_up
        items = self._add(self._live, batches, self.windower.add)
        if self.windower.dirty < _UNWRITTEN_WINDOWS_MAX:
            items += self._add(self._past, self._past.next(_PAST_BATCHES_MAX), self.windower.add_past)
        if self._clock.monotonic() >= self._write_at_s or not items or self.windower.dirty >= _UNWRITTEN_WINDOWS_MAX:
            self._write()
        return items

    def _add(self, reading: Reading, batches: Sequence[Batch], add: _Add) -> int:
        """A bad batch is passed over, it never stops its partition. Returns how many items they were to have.

        Events are believed to be of no later time than when the bus took them: in a backlog, too, a sender whose clock
        is ahead makes nobody else late.
        """
        if not batches:
            return 0
        now_s = self._clock.now()
        events = [events_of(batch) for batch in batches]
        took_s = [min(batch.time_s, now_s) for batch in batches]
        everything: list[RequestEvent] = list(chain.from_iterable(events))
        add(everything, np.repeat(np.array(took_s), [len(each) for each in events]))
        self._ledger.add(everything)
        self._invalid += sum(
            max(0, batch.items - len(readable)) for batch, readable in zip(batches, events, strict=True)
        )
        self._newest_batch_s = max(self._newest_batch_s, *took_s)
        lost = reading.move_on(batches)
        self._lost += lost
        self.lost_batches += lost
        return sum(batch.items for batch in batches)

    def _write(self) -> None:
        """All that is not stored yet, in one transaction; nothing when all is."""
        offsets = {
            (reading.topic, partition): offset
            for reading in (self._live, self._past)
            for partition, offset in reading.offsets.items()
            if offset != self._stored[reading.topic].get(partition, -1)
        }
        if not offsets:
            return
        begun_s = self._clock.monotonic()
        self._complete(self.windower.unknown())
        now_s = self._heard_now_s()
        windows = [one for one in self.windower.drain_dirty() if not self._expired(one.entity, one.stats, now_s)]
        reached_us = int(self.windower.watermark_s * 1e6)
        if reached_us:
            offsets |= {(_EVENT_TIME, partition): reached_us for partition in self._live.partitions}
        self._pay(_Write(windows, offsets, self._new_counts(), self._ledger.drain()))
        now_s = self._clock.monotonic()
        self._write_at_s = now_s + min((now_s - begun_s) / _WRITE_SHARE, _WRITE_EVERY_MAX_S)

    def _expired(self, entity: Entity, window: WindowStats | WindowKey, now_s: float) -> bool:
        """Whether it would be deleted at once; or others of its hour were, which would then be made of this one."""
        into_s = _ROLLED_INTO.get(window.span_s, window.span_s)
        return window.start_s // into_s * into_s < now_s - self._retention.kept_s(window.span_s, entity.org)

    def _complete(self, unknown: Sequence[WindowKey]) -> None:
        """Add what is stored of windows of the past to what they have gained."""
        stored: list[StoredWindow] = []
        now_s = self._heard_now_s()
        for first, last in _ranges(key for key in unknown if not self._expired(key.entity, key, now_s)):
            until_s, most = last.start_s + last.span_s, (last.start_s - first.start_s) // first.span_s + 1
            stored += self._reader.scan(first.span_s, first.start_s, until_s, entity=first.entity, rows_max=most)
        self.windower.learn(stored)

    def _new_counts(self) -> dict[str, int]:
        counts = dict(self.windower.counts)
        new = {outcome: count - self._accounted.get(outcome, 0) for outcome, count in counts.items()}
        new["invalid"] += self._invalid
        new["lost_batches"] = self._lost
        new["clock_set_back"] = self._set_back
        self._accounted = counts
        self._invalid = self._lost = self._set_back = 0
        return {outcome: count for outcome, count in new.items() if count}

    def _pay(self, write: _Write) -> None:
        """The windower has moved on already, so what could not be written is owed, whole, until it is."""
        self._owed = write
        self._writer.append(write.windows, write.offsets, write.counts, write.usage)
        for (topic, partition), offset in write.offsets.items():
            if topic in self._stored:
                self._stored[topic][partition] = offset
        self._owed = None

    def roll_up(self) -> int:
        """Make some hours and days anew (call it about once a second). Returns how many: 0 when it is not yet time."""
        begun_s = self._clock.monotonic()
        if begun_s < self._roll_up_at_s:
            return 0
        made = self._writer.roll_up(merge_windows, _ROLL_UPS_MAX)
        now_s = self._clock.monotonic()
        self._roll_up_at_s = now_s + ((now_s - begun_s) / _ROLL_UP_SHARE if made else _ROLL_UP_AGAIN_S)
        return made

    def expire(self) -> int:
        """Delete windows that are older than their retention (call it about once a minute). Returns how many rows.

        Never by a clock that is ahead of all that was ever heard. The bus has other readers: its bound lets go there.
        """
        now_s = self._heard_now_s()
        deleted = sum(self._expire(span_s, now_s) for span_s in SPANS_KEPT_S)
        return deleted + self._writer.expire_usage(now_s - USAGE_RETENTION_S)

    def _heard_now_s(self) -> float:
        """The time by which windows are old: no later than anything that was ever heard."""
        return min(self._clock.now(), max(self.windower.watermark_s, self._newest_batch_s))

    def _expire(self, span_s: int, now_s: float) -> int:
        """Where no org has days of its own, all at once."""
        kept = self._retention
        if not kept.by_org:
            return self._writer.expire(span_s, now_s - kept.kept_s(span_s))
        orgs = {entity.org for entity in self._reader.entities()}
        return sum(self._writer.expire(span_s, now_s - kept.kept_s(span_s, org), org=org) for org in sorted(orgs))


def _ranges(keys: Iterable[WindowKey]) -> Iterable[tuple[WindowKey, WindowKey]]:
    """First and last of windows of one entity and span that lie close together."""
    first: WindowKey | None = None
    last: WindowKey | None = None
    for key in sorted(keys):
        if first is None or last is None:
            first = last = key
        elif key[:2] == last[:2] and key.start_s - last.start_s <= _STORED_APART_MAX * key.span_s:
            last = key
        else:
            yield first, last
            first = last = key
    if first is not None and last is not None:
        yield first, last
