"""The metrics that services send, on their way from the bus to `Resources`."""

from contextlib import suppress
from typing import Final

import msgspec

from foregate.app.signals.resources import REPEATED_MINUTES, Resources
from foregate.kernel.clock import Clock
from foregate.ports.bus import Bus
from foregate.wire import TOPIC_POINTS
from foregate.wire.point import decode_points

WARM_UP_BATCHES_MAX: Final = 100  # per partition: after a start the minutes that still count are looked for in so many
BEHIND_BATCHES_MAX: Final = 200  # per partition: who is further behind goes on with the newest; exporters say it again
BATCHES_MAX: Final = 16  # per partition and step
STEP_BYTES_MAX: Final = 8_388_608  # of payloads: some 100 ms; partitions not come to are the first of the next step


class ResourceWatch:
    """A `beside.Watch`, with a place on the bus of its own: it keeps nobody waiting, and the bus keeps nothing for it.
    `step` raises OSError when the bus cannot be read; then call it again."""

    def __init__(self, bus: Bus, resources: Resources, clock: Clock) -> None:
        self.skipped_batches = 0
        self._bus = bus
        self._resources = resources
        self._clock = clock
        self._first = 0
        self._offsets = {
            partition: max(-1, bus.last_offset(TOPIC_POINTS, partition) - WARM_UP_BATCHES_MAX)
            for partition in range(bus.partitions)
        }

    def step(self) -> None:
        """Take in what is new, within the bounds of a step."""
        size, partitions = 0, len(self._offsets)
        for turn in range(partitions):
            partition = (self._first + turn) % partitions
            size += self._read(partition)
            if size >= STEP_BYTES_MAX:
                self._first = (partition + 1) % partitions
                return

    def _read(self, partition: int) -> int:
        after = self._offsets[partition] = self._ahead(partition, self._offsets[partition])
        batches = self._bus.read(TOPIC_POINTS, partition, after, BATCHES_MAX)
        since_s = self._clock.now() - (REPEATED_MINUTES + 1) * 60.0
        for batch in batches:
            self._offsets[partition] = batch.offset
            if batch.time_s < since_s:
                continue  # too old to say anything of now
            with suppress(msgspec.DecodeError, UnicodeDecodeError):  # the archive's reader counts what cannot be read
                self._resources.learn(decode_points(batch.payload), batch.time_s)
        return sum(len(batch.payload) for batch in batches)

    def _ahead(self, partition: int, after: int) -> int:
        """Where to go on: not where we were, when that is too far behind or the bus was replaced by a younger one."""
        last = self._bus.last_offset(TOPIC_POINTS, partition)
        if after <= last <= after + BEHIND_BATCHES_MAX:
            return after
        self.skipped_batches += max(0, last - after)
        return last
