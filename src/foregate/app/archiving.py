"""The bus's events, spans and points into the archive."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from foregate.kernel.clock import Clock
from foregate.ports.archive import ArchiveWriter
from foregate.ports.bus import Bus
from foregate.telemetry.follow import Follower
from foregate.wire import TOPIC_EVENTS, TOPIC_HISTORY, TOPIC_POINTS, TOPIC_SPANS
from foregate.wire.accounts import Kind
from foregate.wire.event import decode_events
from foregate.wire.point import decode_points
from foregate.wire.span import decode_spans

BUFFER_ITEMS_MAX = 30_000  # per topic: then they are stored, however short ago the last time was
BUFFER_BYTES_MAX = 16_777_216  # likewise, as encoded: in memory they are some four times as much
FLUSH_SHARE_MAX = 0.2  # of the time: many organisations make many files, which then are made less often
FLUSH_INTERVAL_S_MAX = 30.0
TIME_S_MAX = 4_102_444_800.0  # 2100: a later one is no measurement


def _events(payload: bytes) -> list[Any]:
    return [event for event in decode_events(payload) if 0.0 <= event.time_s < TIME_S_MAX]  # not NaN either


def _spans(payload: bytes) -> list[Any]:
    return [span for span in decode_spans(payload) if 0 <= span.start_ns < TIME_S_MAX * 1e9]


def _points(payload: bytes) -> list[Any]:
    return [point for point in decode_points(payload) if 0.0 <= point.time_s < TIME_S_MAX]


ARCHIVED: Mapping[str, tuple[Kind, Callable[[bytes], list[Any]]]] = {
    TOPIC_EVENTS: ("events", _events),
    TOPIC_HISTORY: ("events", _events),
    TOPIC_SPANS: ("spans", _spans),
    TOPIC_POINTS: ("points", _points),
}


class Archiving:
    """A `Keeping`: all archived topics. Items are collected for `flush_interval_s`, so that segments are not tiny: so
    long they are on the bus alone, and the stored offsets stay before them."""

    def __init__(
        self, open_bus: Callable[[], Bus], archive: ArchiveWriter, flush_interval_s: float, clock: Clock
    ) -> None:
        self._bus = open_bus()
        self._topics = [
            _Topic(self._bus, archive, topic, kind, decode, flush_interval_s, clock)
            for topic, (kind, decode) in ARCHIVED.items()
        ]

    def step(self) -> int:
        """Read what is new of each topic. Raises OSError."""
        return sum([topic.step() for topic in self._topics])

    def close(self) -> None:
        """Store what was collected. Raises OSError; the bus still has it then."""
        try:
            for topic in self._topics:
                topic.flush()
        finally:
            self._bus.close()


class _Topic:
    """One topic on its way into the archive: the `Store` of its own follower."""

    def __init__(
        self,
        bus: Bus,
        archive: ArchiveWriter,
        topic: str,
        kind: Kind,
        decode: Callable[[bytes], list[Any]],
        flush_interval_s: float,
        clock: Clock,
    ) -> None:
        self._bus = bus
        self._archive = archive
        self._topic = topic
        self._kind = kind
        self._decode = decode
        self._flush_interval_s = flush_interval_s
        self._clock = clock
        self._pause_s = 0.0  # until the next flush
        self._begin_anew()

    def _begin_anew(self) -> None:
        """From what the archive has."""
        self._items: list[Any] = []
        self._bytes = 0
        self._offsets: Mapping[int, int] = {}
        self._counts: dict[str, int] = {}
        self._since_s: float | None = None  # when the oldest of what is collected came
        self._assigned = tuple(self._bus.assigned(self._topic))
        self._follower: Follower[Any] = Follower(self._bus, self._topic, self._read, self)

    def step(self) -> int:
        if tuple(self._bus.assigned(self._topic)) != self._assigned:  # others read from where the archive is
            self._begin_anew()
        read = self._follower.step()
        if self._since_s is not None and self._clock.monotonic() - self._since_s >= self._pause_s:
            self.flush()
        return read

    def _read(self, payload: bytes) -> list[Any]:
        self._bytes += len(payload)
        return self._decode(payload)

    def offsets(self, topic: str) -> dict[int, int]:
        return self._archive.offsets(topic)

    def take(self, items: Sequence[Any], topic: str, offsets: Mapping[int, int], counts: Mapping[str, int]) -> None:
        """Collect. Raises OSError when it had to be stored and could not be."""
        self._items.extend(items)
        self._offsets = dict(offsets)
        for outcome, count in counts.items():
            self._counts[outcome] = self._counts.get(outcome, 0) + count
        if self._since_s is None:
            self._since_s = self._clock.monotonic()
        if len(self._items) >= BUFFER_ITEMS_MAX or self._bytes >= BUFFER_BYTES_MAX:
            self.flush()

    def flush(self) -> None:
        """Store what was collected. Raises OSError; it is read again from the bus then."""
        if self._since_s is None:
            return
        begin_s = self._clock.monotonic()
        try:
            self._archive.append(self._kind, self._items, self._topic, self._offsets, self._counts)
        except BaseException:
            self._begin_anew()
            raise
        took_s = self._clock.monotonic() - begin_s
        self._pause_s = min(max(self._flush_interval_s, took_s / FLUSH_SHARE_MAX), FLUSH_INTERVAL_S_MAX)
        self._items, self._bytes, self._counts, self._since_s = [], 0, {}, None
