"""Events as they come, those that pass a filter: a reader's own place on the bus, which is also its only buffer.

Who reads slowly therefore costs nothing: it goes on where it was, and passes over what is more than it may take at a
time. What was passed over is said.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

import msgspec

from foregate.kernel.errors import ForegateError
from foregate.ports.bus import Batch, Bus
from foregate.telemetry.query.matching import Holds
from foregate.wire import TOPIC_EVENTS
from foregate.wire.event import RequestEvent, decode_events

BATCHES_MAX = 32  # per partition and read; what is before the newest so many is passed over
EVENTS_MAX = 200  # of one read: the newest are given, the others are passed over


class Tailed(NamedTuple):
    """`skipped`: events that passed the filter and are not given; `skipped_batches` have not even been read. `place`
    is where the next read begins, for a reader that comes back."""

    events: list[RequestEvent]
    skipped: int
    skipped_batches: int
    place: str


class FilteredTail:
    """Begins at `place`, or after the newest event. One thread at a time."""

    def __init__(self, bus: Bus, org: str, holds: Holds, place: str = "") -> None:
        """`org` "*": of all. Raises ForegateError("invalid_parameter") for a place that is none."""
        ends = {at: bus.last_offset(TOPIC_EVENTS, at) for at in range(bus.partitions)}
        known = read_place(place)
        self._offsets = {at: min(known.get(at, end), end) for at, end in ends.items()}
        self._bus = bus
        self._org = org
        self._holds = holds

    def read(self) -> Tailed:
        """What came since the last read, oldest first. Raises OSError."""
        found: list[RequestEvent] = []
        skipped_batches = 0
        for partition, after in self._offsets.items():
            floor = self._bus.last_offset(TOPIC_EVENTS, partition) - BATCHES_MAX
            skipped_batches += max(0, floor - after)
            batches = self._bus.read(TOPIC_EVENTS, partition, max(after, floor), BATCHES_MAX)
            if batches:
                self._offsets[partition] = batches[-1].offset
                found += [event for batch in batches for event in _events_of(batch) if self._wanted(event)]
        found.sort(key=lambda event: event.time_s)
        skipped = max(0, len(found) - EVENTS_MAX)
        return Tailed(found[skipped:], skipped, skipped_batches, write_place(self._offsets))

    def _wanted(self, event: RequestEvent) -> bool:
        return self._org in ("*", event.org) and self._holds(event)


def write_place(offsets: Mapping[int, int]) -> str:
    """Partition:offset, with dots between them."""
    return ".".join(f"{partition}:{offset}" for partition, offset in sorted(offsets.items()))


def read_place(place: str) -> dict[int, int]:
    """The inverse. Raises ForegateError("invalid_parameter")."""
    pairs = [pair.partition(":") for pair in place.split(".") if pair]
    if (
        not all(left.isdecimal() and right.removeprefix("-").isdecimal() for left, _, right in pairs)
        or len(place) > 4_000
    ):
        raise ForegateError("invalid_parameter", "Last-Event-ID: it is not one of ours.")
    return {int(left): int(right) for left, _, right in pairs}


def _events_of(batch: Batch) -> list[RequestEvent]:
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        return decode_events(batch.payload)
    return []
