"""What a finished request leaves behind: one event and a few counters."""

from bisect import bisect_left

from foregate.gateway import layout
from foregate.kernel.clock import Clock
from foregate.ports.counters import Counters
from foregate.ports.sink import EventSink
from foregate.wire.event import RequestEvent

# What a status adds to the slots of its route; a status has three digits.
_CLASS_OF = tuple(layout.CLASSES + min(max(status // 100, 1), 5) - 1 for status in range(1000))


class Recorder:
    """Counts and reports; shared by all requests of a worker."""

    __slots__ = ("_counters", "_put", "_row", "clock", "environment", "org")

    def __init__(self, counters: Counters, sink: EventSink, clock: Clock, org: str, environment: str) -> None:
        self._counters = counters
        self._row = counters.row
        self._put = sink.put
        self.clock = clock
        self.org = org
        self.environment = environment

    def count(self, slot: int, amount: float = 1.0) -> None:
        self._counters.add(slot, amount)

    def put(self, slot: int, value: float) -> None:
        self._counters.put(slot, value)

    def finished(self, event: RequestEvent, route_slots: int) -> None:
        """Account for one request: its status class, its duration, its event."""
        row = self._row
        seconds = event.latency_ms / 1000.0
        row[route_slots + _CLASS_OF[event.status]] += 1.0
        row[route_slots + layout.BUCKETS + bisect_left(layout.DURATION_BOUNDS_S, seconds)] += 1.0
        row[route_slots + layout.DURATION_SUM] += seconds
        if event.limit == "refused":
            row[route_slots + layout.LIMITED] += 1.0
        if not self._put(event):
            row[layout.EVENTS_SHED] += 1.0
