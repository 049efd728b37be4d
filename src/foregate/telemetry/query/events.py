"""Single events, straight from the bus: the newest ones, and a tail for the live page."""

from contextlib import suppress

import msgspec

from foregate.kernel.errors import ForegateError
from foregate.ports.bus import Batch, Bus
from foregate.wire import TOPIC_EVENTS
from foregate.wire.event import RequestEvent, decode_events

EVENTS_MAX = 1_000  # of one answer
_TAIL_BATCHES_MAX = 32  # per partition and read; a reader that fell further behind skips ahead


def recent_events(bus: Bus, limit: int) -> list[RequestEvent]:
    """The newest events, newest first. Raises ForegateError("invalid_parameter") unless 1 ≤ limit ≤ 1000."""
    if not 1 <= limit <= EVENTS_MAX:
        raise ForegateError("invalid_parameter", f"The limit must be between 1 and {EVENTS_MAX}.")
    events = [event for partition in range(bus.partitions) for event in _newest(bus, partition, limit)]
    events.sort(key=lambda event: event.time_s, reverse=True)
    return events[:limit]


def _newest(bus: Bus, partition: int, limit: int) -> list[RequestEvent]:
    """At least the newest `limit` events of a partition: steps back over batches until there are enough."""
    last = bus.last_offset(TOPIC_EVENTS, partition)
    events: list[RequestEvent] = []
    while last >= 0 and len(events) < limit:
        first = max(0, last - _TAIL_BATCHES_MAX // 4 + 1)
        batches = bus.read(TOPIC_EVENTS, partition, first - 1, last - first + 1)
        kept = [batch for batch in batches if batch.offset <= last]  # where some have expired, newer ones come instead
        if not kept:
            break
        events += _events_of(kept)
        last = first - 1
    return events


class EventTail:
    """A reader's own place in the log: begins after the newest event. One thread at a time."""

    def __init__(self, bus: Bus) -> None:
        self.skipped = 0  # batches passed over because the reader was too slow
        self._bus = bus
        self._offsets = {partition: bus.last_offset(TOPIC_EVENTS, partition) for partition in range(bus.partitions)}

    def read(self, limit: int) -> list[RequestEvent]:
        """The newest `limit` of the events that came since the last call, oldest first."""
        events: list[RequestEvent] = []
        for partition, after in self._offsets.items():
            floor = self._bus.last_offset(TOPIC_EVENTS, partition) - _TAIL_BATCHES_MAX
            if floor > after:
                self.skipped += floor - after
            batches = self._bus.read(TOPIC_EVENTS, partition, max(after, floor), 2 * _TAIL_BATCHES_MAX)
            if batches:
                self._offsets[partition] = batches[-1].offset
                events += _events_of(batches)
        events.sort(key=lambda event: event.time_s)
        return events[-limit:]


def _events_of(batches: list[Batch]) -> list[RequestEvent]:
    """What can be read of them; the consumer is who counts what cannot."""
    events: list[RequestEvent] = []
    for batch in batches:
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            events += decode_events(batch.payload)
    return events
