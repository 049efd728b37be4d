"""Events for abuse detection: its own place on the bus, so that nothing it does delays the windows, nor they it."""

from collections.abc import Sequence
from contextlib import suppress

import msgspec

from foregate.ports.bus import Bus
from foregate.wire import TOPIC_EVENTS
from foregate.wire.event import RequestEvent, decode_events

WARM_UP_BATCHES_MAX = 2_000  # per partition: what is usual is learnt anew from so many after a restart, …
WARM_UP_EVENTS_MAX = 200_000  # … or from so many events: about a second's work
BEHIND_BATCHES_MAX = 400  # per partition: a reader that is further behind goes on with the newest; the rest is counted
_READ_BATCHES_MAX = 64  # per partition and read


class AbuseEvents:
    """One thread. Raises OSError when the bus cannot be read; then call again."""

    def __init__(self, bus: Bus) -> None:
        self.skipped_batches = 0
        self._bus = bus
        self._offsets = {
            partition: max(-1, bus.last_offset(TOPIC_EVENTS, partition) - WARM_UP_BATCHES_MAX)
            for partition in range(bus.partitions)
        }
        self._to_warm_up = WARM_UP_EVENTS_MAX
        self.warm = False  # whether what was there at the start has been read

    def read(self) -> list[RequestEvent]:
        """The gateway's next events of all partitions, about in the order of their time; none when there is nothing
        new."""
        batches = []
        for partition, after in self._offsets.items():
            after = self._offsets[partition] = self._ahead(partition, after)
            found = self._bus.read(TOPIC_EVENTS, partition, after, _READ_BATCHES_MAX)
            if found:
                self._offsets[partition] = found[-1].offset
                batches += found
        batches.sort(key=lambda batch: batch.time_s)
        events: list[RequestEvent] = []
        for batch in batches:
            with suppress(msgspec.DecodeError, UnicodeDecodeError):  # the windows' reader counts what cannot be read
                events += decode_events(batch.payload)
        if not self.warm:
            self._warm_up(len(events))
        # What others have sent in says nothing of who may go on asking here.
        return [event for event in events if event.source == "gateway"]

    def _ahead(self, partition: int, after: int) -> int:
        """Where to go on: not where we were, when that is too far behind."""
        if not self.warm:
            return after
        last = self._bus.last_offset(TOPIC_EVENTS, partition)
        if last - after <= BEHIND_BATCHES_MAX:
            return after
        self.skipped_batches += last - after
        return last

    def _warm_up(self, events: int) -> None:
        self._to_warm_up -= events
        if events and self._to_warm_up > 0:
            return
        self.warm = True
        if self._to_warm_up <= 0:
            self.go_to_end()

    def go_to_end(self) -> None:
        """Go on with what comes from now on."""
        for partition in self._offsets:
            self._offsets[partition] = self._bus.last_offset(TOPIC_EVENTS, partition)


def in_order(events: Sequence[RequestEvent]) -> Sequence[RequestEvent]:
    """By time: workers' batches overlap."""
    return sorted(events, key=lambda event: event.time_s)
