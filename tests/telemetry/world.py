"""A bus, a series store and a consumer in a folder, for tests of what lies between them."""

from collections.abc import Sequence
from pathlib import Path

from tests.telemetry.making import assert_facets, assert_window, by_window, payload

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.kernel.clock import Clock
from foregate.telemetry.consumer import Consumer
from foregate.telemetry.windows import Windower
from foregate.wire import TOPIC_EVENTS, TOPIC_HISTORY
from foregate.wire.event import RequestEvent, decode_events
from foregate.wire.window import ROLLED_UP_FROM, SPANS_S


class Stores:
    """Real files. `publish` appends a batch as a worker's flusher would."""

    def __init__(self, folder: Path, clock: Clock, *, partitions: int = 4) -> None:
        self.clock = clock
        self.bus = EmbeddedBus(folder / "bus.sqlite", clock, partitions=partitions)
        self.series = EmbeddedSeries(folder / "series.sqlite")
        self._sequence = 0

    def publish(self, events: Sequence[RequestEvent], partition: int = 0, topic: str = TOPIC_EVENTS) -> None:
        self.publish_raw(payload(events), len(events), partition, topic)

    def publish_raw(self, body: bytes, items: int, partition: int = 0, topic: str = TOPIC_EVENTS) -> None:
        self._sequence += 1
        self.bus.append(topic, partition, body, items, producer="test", sequence=self._sequence)

    def consumer(self) -> Consumer:
        return Consumer(self.bus, self.series, self.series, Windower(), self.clock)

    def events(self) -> list[RequestEvent]:
        """Everything on the bus."""
        return [
            one
            for topic in (TOPIC_EVENTS, TOPIC_HISTORY)
            for partition in range(self.bus.partitions)
            for batch in self.bus.read(topic, partition, -1, 100_000)
            for one in decode_events(batch.payload)
        ]

    def close(self) -> None:
        self.bus.close()
        self.series.close()


def assert_windows_equal_recomputation(stores: Stores, spans: Sequence[int] = SPANS_S) -> None:
    """Every stored window of every span says what the raw events say, and nothing else is stored."""
    events = stores.events()
    for span_s in spans:
        stored = {(one.entity, one.stats.start_s): one for one in stores.series.scan(span_s, 0, 1e12)}
        expected = by_window(events, span_s)
        assert stored.keys() == expected.keys()
        for key, group in expected.items():
            assert_window(stored[key].stats, group)
            if span_s >= 60:
                assert_facets(stored[key], group)


def assert_roll_ups_equal_recomputation(stores: Stores) -> None:
    """The same of hours and days."""
    assert_windows_equal_recomputation(stores, tuple(ROLLED_UP_FROM))
