"""A reader's place on topics of the bus: what comes next, in the order of its time, and what is missing."""

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import inf

import msgspec

from foregate.ports.bus import Batch, Bus
from foregate.wire.event import RequestEvent, decode_events

ITEMS_MAX = 40_000  # of one read, or one batch: some 2 KB each in memory once they are decoded


def events_of(batch: Batch) -> list[RequestEvent]:
    """The events of a batch; none when it cannot be read."""
    try:
        return decode_events(batch.payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []


class Reading:
    """One topic's partitions that are ours. One thread. Raises OSError when the bus cannot be read."""

    def __init__(self, bus: Bus, topic: str, stored: Mapping[int, int]) -> None:
        """`stored`: partition → the last offset that need not be read again. One beyond the end means that the bus was
        replaced: it is read from its start."""
        self.topic = topic
        self.caught_up = False  # whether the last read gave all there was
        self._bus = bus
        self.partitions = tuple(bus.assigned(topic))
        self.offsets = {partition: self._known(partition, stored) for partition in self.partitions}
        self._ahead: dict[int, deque[Batch]] = {partition: deque() for partition in self.partitions}  # not given yet

    def _known(self, partition: int, stored: Mapping[int, int]) -> int:
        offset = stored.get(partition, -1)
        return offset if offset <= self._bus.last_offset(self.topic, partition) else -1

    @property
    def reassigned(self) -> bool:
        """Whether other partitions are ours by now."""
        return tuple(self._bus.assigned(self.topic)) != self.partitions

    def next(self, batches_max: int) -> list[Batch]:
        """New batches of all partitions in the order of their time, at most `batches_max` of each.

        A partition with more than one read gives stops the others at the same time: else one of them, read to its end,
        would move the watermark and make the rest of another one's backlog late. What they are ahead waits here.
        """
        cut_short = []
        for partition, ahead in self._ahead.items():
            after = ahead[-1].offset if ahead else self.offsets[partition]
            if len(ahead) < batches_max:
                ahead += self._bus.read(self.topic, partition, after, batches_max - len(ahead))
            if len(ahead) >= batches_max:
                cut_short.append(ahead[-1].time_s)
        until_s = min(cut_short, default=inf)
        chosen = sorted(
            (batch for ahead in self._ahead.values() for batch in ahead if batch.time_s <= until_s),
            key=lambda batch: (batch.time_s, batch.offset, batch.partition),
        )
        items = accumulate(batch.items for batch in chosen)
        places = [
            batch.partition
            for batch, so_far in zip(chosen, items, strict=True)
            if so_far <= ITEMS_MAX or batch is chosen[0]
        ]
        self.caught_up = not cut_short and len(places) == len(chosen)
        return [self._ahead[place].popleft() for place in places]

    def move_on(self, batches: Sequence[Batch]) -> int:
        """Past these. Returns how many batches are missing between them and those before."""
        lost = 0
        for batch in batches:
            before = self.offsets[batch.partition]
            if before >= 0:  # who reads for the first time begins with the oldest kept, and has lost nothing
                lost += batch.offset - before - 1
            self.offsets[batch.partition] = batch.offset
        return lost
