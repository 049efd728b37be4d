"""A real bus, a real store and a collector between them, in a folder and at a time of the test's own."""

from collections.abc import Iterable
from pathlib import Path

from tests.telemetry.making import payload

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.journeys import EmbeddedJourneys
from foregate.kernel.clock import Clock
from foregate.telemetry.journeys import Collector
from foregate.telemetry.journeys.service_map import merged_latency
from foregate.wire import TOPIC_EVENTS, TOPIC_SPANS
from foregate.wire.event import RequestEvent
from foregate.wire.span import Span, encode_spans
from foregate.wire.survey import Journeys

KEEP_ALL = Journeys(share=1.0, rest_per_minute_max=1_000_000, quiet_s=10)


class Rig:
    def __init__(self, folder: Path, clock: Clock, settings: Journeys = KEEP_ALL) -> None:
        self.clock = clock
        self.bus = EmbeddedBus(folder / "bus.sqlite", clock)
        self.store = EmbeddedJourneys(folder / "journeys.sqlite", merged_latency)
        self._settings = settings
        self._sequence = self.bus.last_offset(TOPIC_SPANS, 0) + self.bus.last_offset(TOPIC_EVENTS, 0) + 2
        self.collector = self.again()

    def again(self) -> Collector:
        """A collector that knows nothing but what is stored: what a new process begins with."""
        self.collector = Collector(self.bus, self.store, self._settings, self.clock)
        return self.collector

    def send(self, spans: Iterable[Span], partition: int = 0) -> None:
        listed = list(spans)
        self._append(TOPIC_SPANS, partition, encode_spans(listed), len(listed))

    def send_events(self, events: Iterable[RequestEvent], partition: int = 0) -> None:
        listed = list(events)
        self._append(TOPIC_EVENTS, partition, payload(listed), len(listed))

    def _append(self, topic: str, partition: int, data: bytes, items: int) -> None:
        self._sequence += 1
        self.bus.append(topic, partition, data, items, producer="test", sequence=self._sequence)

    def drain(self) -> None:
        while self.collector.step():
            pass

    def close(self) -> None:
        self.bus.close()
        self.store.close()
