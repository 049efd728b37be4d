"""What a finished request leaves behind: one event and a few counters."""

from foregate.gateway import layout
from foregate.kernel.clock import Clock
from foregate.ports.counters import Counters
from foregate.ports.sink import EventSink
from foregate.wire.event import RequestEvent


class Recorder:
    """Counts and reports; shared by all requests of a worker."""

    __slots__ = ("_counters", "_sink", "clock", "environment", "org")

    def __init__(self, counters: Counters, sink: EventSink, clock: Clock, org: str, environment: str) -> None:
        self._counters = counters
        self._sink = sink
        self.clock = clock
        self.org = org
        self.environment = environment

    def count(self, slot: int, amount: float = 1.0) -> None:
        self._counters.add(slot, amount)

    def put(self, slot: int, value: float) -> None:
        self._counters.put(slot, value)

    def used(self, slot: int) -> float:
        return self._counters.total(slot)

    def finished(self, event: RequestEvent, route_slots: int) -> None:
        """Account for one request: its status class, its duration, its event."""
        add = self._counters.add
        seconds = event.latency_ms / 1000.0
        add(route_slots + layout.CLASSES + min(max(event.status // 100, 1), 5) - 1, 1.0)
        add(route_slots + layout.BUCKETS + layout.duration_bucket(seconds), 1.0)
        add(route_slots + layout.DURATION_SUM, seconds)
        if event.limit == "refused":
            add(route_slots + layout.LIMITED, 1.0)
        if not self._sink.put(event):
            add(layout.EVENTS_SHED, 1.0)
