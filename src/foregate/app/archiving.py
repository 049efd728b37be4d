"""The bus's events, spans and points into the archive, and what is old out of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import structlog

from foregate.app.disk import Disk
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
DAY_S = 86_400.0
EXPIRE_EVERY_S = 600.0  # and so long after the start: the clock may be wrong when a machine has just started
EXPIRY_STEP_S = 21_600.0  # the border moves so far at once, because the segment that it cuts is written anew
TRIM_EVERY_S = 60.0
UNBOUNDED = 1 << 62
CLOCK_JUMP_S = 3_600.0  # the clock was set on by more: nothing expires for a day, it may be a mistake


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


class Retention(msgspec.Struct, frozen=True):
    """`days`: of all organisations that `of` does not name. `bytes_max`: of the archive, None for no bound."""

    days: int
    of: Mapping[str, int] = {}
    bytes_max: int | None = None

    def border_s(self, org: str, now_s: float) -> float:
        """What is older may go."""
        return (now_s - self.of.get(org, self.days) * DAY_S) // EXPIRY_STEP_S * EXPIRY_STEP_S


class Upkeep:
    """A `Keeping`: merges small segments, lets go what is too old, and holds the archive within its bound."""

    def __init__(
        self,
        archive: ArchiveWriter,
        retention: Retention,
        disk: Disk,
        clock: Clock,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._archive = archive
        self._retention = retention
        self._disk = disk
        self._clock = clock
        self._log = log
        self._ahead_s = clock.now() - clock.monotonic()
        self._expire_at_s = clock.monotonic() + EXPIRE_EVERY_S
        self._trim_at_s = clock.monotonic()

    def step(self) -> int:
        """One piece of work. Returns 0 when there is none left for now. Raises OSError."""
        now_s = self._clock.monotonic()
        if now_s >= self._trim_at_s:
            self._trim_at_s = now_s + TRIM_EVERY_S
            self._trim()
        if now_s >= self._expire_at_s and not self._clock_was_set_on():
            self._expire_at_s = now_s + EXPIRE_EVERY_S
            self._expire()
        return 0 if self._disk.state().level == "full" else self._archive.compact()

    def _clock_was_set_on(self) -> bool:
        ahead_s = self._clock.now() - self._clock.monotonic()
        jumped_s, self._ahead_s = ahead_s - self._ahead_s, ahead_s
        if jumped_s > CLOCK_JUMP_S:
            self._log.warning("clock_was_set_on", by_s=round(jumped_s), effect="nothing expires for a day")
            self._expire_at_s = self._clock.monotonic() + DAY_S
        return jumped_s > CLOCK_JUMP_S

    def _expire(self) -> None:
        now_s = self._clock.now()
        kinds = {kind for kind, _ in ARCHIVED.values()}
        for org in self._archive.orgs():
            border_s = self._retention.border_s(org, now_s)
            gone = sum(self._archive.expire(kind, org, border_s) for kind in sorted(kinds))
            if gone:
                self._log.info("expired", org=org, items=gone, older_than_s=border_s)

    def _trim(self) -> None:
        bytes_max = self._retention.bytes_max or UNBOUNDED  # then only what was replaced is deleted
        if gone := self._archive.trim(bytes_max):
            self._log.warning("archive_at_its_bound", bytes_max=bytes_max, deleted=gone, which="the oldest")

    def close(self) -> None:
        """The archive is closed by who opened it."""
