"""The analyzer's reader: bus → windower → series store, exactly once.

One `step` reads what is new, and writes the windows it changed together with the offsets they cover and the accounts,
in one transaction. After kill -9 the store is therefore at some whole step; the next consumer takes the open windows
back and reads on from those offsets.
"""

from collections.abc import Mapping, Sequence
from math import inf
from typing import NamedTuple

import msgspec

from foregate.kernel.clock import Clock
from foregate.kernel.limits import BUS_RETENTION_S, LATE_EVENT_S
from foregate.ports.bus import Batch, Bus
from foregate.ports.series import SeriesReader, SeriesWriter
from foregate.telemetry.ledger import Ledger
from foregate.telemetry.windows import RESTORE_S, Windower
from foregate.wire import TOPIC_EVENTS
from foregate.wire.event import RequestEvent, decode_events
from foregate.wire.usage import Usage
from foregate.wire.window import SPANS_S, StoredWindow

USAGE_RETENTION_S = 400 * 86_400.0  # of the ledger of AI traffic: a year, and the month that closes it
RETENTION_S: Mapping[int, float] = {10: 2 * 3600.0, 60: 7 * 86_400.0, 300: 30 * 86_400.0, 900: 30 * 86_400.0}
_BATCHES_MAX = 16  # per partition and step: up to 80,000 events each, usually some hundred
_RESTORE_ROWS_MAX = 4_000_000
# After the clock was set back: windows of the next hour are gone on with. A later one that is lived through again takes
# the place of what was stored under its time.
_LIVED_AGAIN_S = 3_600.0


def events_of(batch: Batch) -> list[RequestEvent]:
    """The events of a batch; none when it cannot be read."""
    try:
        return decode_events(batch.payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []


class _Write(NamedTuple):
    """What one step owes the store."""

    windows: Sequence[StoredWindow]
    offsets: Mapping[int, int]
    counts: Mapping[str, int]
    usage: Sequence[Usage]


class Consumer:
    """Makes windows of what is on the bus. One thread, one process.

    Takes the open windows back from `reader` when it is made; `windower` must be new. Raises OSError when a store
    cannot be read or written; `step` may then be called again, nothing is lost or counted twice.
    """

    def __init__(self, bus: Bus, writer: SeriesWriter, reader: SeriesReader, windower: Windower, clock: Clock) -> None:
        self.windower = windower
        self.caught_up = False  # whether the last step read all there was
        self.clock_set_back = 0  # how often windows began anew because the clock was
        self.lost_batches = 0  # deleted at the bus's bound before they were read, as the gaps in the offsets tell
        self._ledger = Ledger()
        self._bus = bus
        self._writer = writer
        self._reader = reader
        self._clock = clock
        self._owed: _Write | None = None
        self._accounted = dict(windower.counts)
        self._accounted_set_back = 0
        self._offsets = self._known_offsets(writer.offsets())
        self._stored_offsets = dict(self._offsets)
        self._restore()

    def _known_offsets(self, stored: Mapping[int, int]) -> dict[int, int]:
        """A stored offset beyond the end means that the bus was replaced: it is read from its start."""
        ends = {partition: self._bus.last_offset(TOPIC_EVENTS, partition) for partition in range(self._bus.partitions)}
        return {
            partition: offset if (offset := stored.get(partition, -1)) <= end else -1 for partition, end in ends.items()
        }

    def _restore(self) -> None:
        newest_s = self._writer.newest_s(SPANS_S[0])
        if newest_s is None:
            return
        now_s = self._clock.now()
        from_s, until_s, known_s = newest_s, newest_s, inf
        if newest_s > now_s + LATE_EVENT_S:  # the clock was set back: that time will be lived through again
            from_s, until_s, known_s = now_s, min(newest_s, now_s + _LIVED_AGAIN_S), now_s
        for span_s in SPANS_S:
            stored = self._reader.scan(span_s, from_s - RESTORE_S, until_s + span_s, rows_max=_RESTORE_ROWS_MAX)
            self.windower.restore(stored, known_s)

    def _follow_clock(self) -> None:
        """Where the clock was set back so far that all new events would be late, begin anew at its time."""
        now_s = self._clock.now()
        if now_s >= self.windower.watermark_s - LATE_EVENT_S:
            return
        self.windower.start_over()
        self._restore()
        self.windower.closed_minutes(now_s)  # they were given before
        self.clock_set_back += 1

    def step(self) -> int:
        """Read what is new, window it, store it. Returns how many items were read (0: nothing new)."""
        if self._owed is not None:
            self._pay(self._owed)
        self._follow_clock()
        batches = self._next_batches()
        if not batches:
            return 0
        items = sum(batch.items for batch in batches)
        invalid = self._add(batches)
        lost = self._move_on(batches)
        counts = self._new_counts(invalid, lost)
        self._pay(_Write(self.windower.drain_dirty(), dict(self._offsets), counts, self._ledger.drain()))
        return items

    def _move_on(self, batches: Sequence[Batch]) -> int:
        """Returns how many batches are missing between those read before and these."""
        lost = 0
        for batch in batches:
            before = self._offsets[batch.partition]
            if before >= 0:  # who reads for the first time begins with the oldest kept, and has lost nothing
                lost += batch.offset - before - 1
            self._offsets[batch.partition] = batch.offset
        self.lost_batches += lost
        return lost

    def _next_batches(self) -> list[Batch]:
        """New batches of all partitions in the order of their time.

        A partition with more than one read gives stops the others at the same time: else one of them, read to its end,
        would move the watermark and make the rest of another one's backlog late.
        """
        read = [
            self._bus.read(TOPIC_EVENTS, partition, after, _BATCHES_MAX) for partition, after in self._offsets.items()
        ]
        cut_short = [batches[-1].time_s for batches in read if len(batches) == _BATCHES_MAX]
        self.caught_up = not cut_short
        until_s = min(cut_short, default=float("inf"))
        return sorted(
            (batch for batches in read for batch in batches if batch.time_s <= until_s),
            key=lambda batch: (batch.time_s, batch.offset, batch.partition),
        )

    def _add(self, batches: Sequence[Batch]) -> int:
        """Returns how many items could not be read. A bad batch is passed over, it never stops its partition."""
        invalid = 0
        now_s = self._clock.now()
        for batch in batches:
            events = events_of(batch)
            invalid += max(0, batch.items - len(events))
            self.windower.add(events, now_s)
            self._ledger.add(events)
        return invalid

    def _new_counts(self, invalid: int, lost: int) -> dict[str, int]:
        counts = dict(self.windower.counts)
        new = {outcome: count - self._accounted.get(outcome, 0) for outcome, count in counts.items()}
        self._accounted = counts
        new["invalid"] += invalid
        new["lost_batches"] = lost
        new["clock_set_back"] = self.clock_set_back - self._accounted_set_back
        self._accounted_set_back = self.clock_set_back
        return {outcome: count for outcome, count in new.items() if count}

    def _pay(self, write: _Write) -> None:
        """The windower has moved on already, so what could not be written is owed, whole, until it is."""
        self._owed = write
        offsets = {(TOPIC_EVENTS, partition): offset for partition, offset in write.offsets.items()}
        self._writer.append(write.windows, offsets, write.counts, write.usage)
        self._stored_offsets = dict(write.offsets)
        self._owed = None

    def expire(self) -> int:
        """Delete what is older than its retention (call it about once a minute). Returns how many rows and batches.

        Never what is not yet in stored windows, and never by a clock that is ahead of the newest event.
        """
        now_s = min(self._clock.now(), self.windower.watermark_s)
        deleted = sum(self._writer.expire(span_s, now_s - keep_s) for span_s, keep_s in RETENTION_S.items())
        deleted += self._writer.expire_usage(now_s - USAGE_RETENTION_S)
        return deleted + self._bus.expire(TOPIC_EVENTS, min(now_s - BUS_RETENTION_S, self._first_unread_s()))

    def _first_unread_s(self) -> float:
        unread = (self._bus.read(TOPIC_EVENTS, at, after, 1) for at, after in self._stored_offsets.items())
        return min((batches[0].time_s for batches in unread if batches), default=float("inf"))
