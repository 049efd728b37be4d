"""Reading: one consumer for all partitions that are followed, each from a place of its own."""

import time
from collections import deque
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from foregate.adapters.distributed.kafka.connection import client_settings, failures_of, unreachable
from foregate.adapters.distributed.kafka.repeats import BATCHES_MAX, Repeats
from foregate.kernel.clock import Clock
from foregate.ports.bus import Batch
from foregate.wire.bus import Kafka

_POLL_S = 0.1
_AT_ONCE = 64  # messages taken from the library in one call
_FETCHED_BYTES = 4_194_304  # that the library may hold ahead of us
_AHEAD_MAX = 1_024  # batches of a partition that came while another one was waited for; then it is paused …
_AHEAD_BYTES_MAX = 8_388_608  # … or with so many bytes, until they are given
_NOTHING = b"\x90"  # an empty array: in place of what was there before
# A topic was just made, or has another leader by now.
_CHANGING = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,
)
_CURSORS_MAX = 1_024  # topics × partitions; the one not asked for longest is forgotten


class _Cursor:
    """A place in one partition: what comes next, and what was fetched already."""

    def __init__(self, after: int, begins: int) -> None:
        self.after = after  # last offset given
        self.next = begins  # the first offset that is not fetched yet
        self.fetched: deque[Batch] = deque()
        self.fetched_bytes = 0
        self.paused = False
        self.repeats = Repeats()
        self.time_s = 0.0

    @property
    def is_full(self) -> bool:
        return len(self.fetched) >= _AHEAD_MAX or self.fetched_bytes >= _AHEAD_BYTES_MAX


class Reader:
    """Not for two threads at a time."""

    def __init__(self, kafka: Kafka, clock: Clock) -> None:
        self._kafka = kafka
        self._clock = clock
        self._known: set[str] = set()  # bounded by the topics that the code names
        self._cursors: dict[tuple[str, int], _Cursor] = {}
        settings = client_settings(kafka) | {
            "group.id": "foregate",  # the library wants one; offsets are never committed to it
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": _FETCHED_BYTES // 1_024,
            "fetch.wait.max.ms": 100,
        }
        self._consumer = Consumer(settings)
        self._asking = Consumer(settings)  # a broker answers one question per connection; a fetch may wait for a while

    def bounds(self, name: str, partition: int) -> tuple[int, int]:
        """The oldest offset kept, and the next one to be given."""
        until_s = self._clock.monotonic() + self._kafka.timeout_s
        while True:
            try:
                at = TopicPartition(name, partition)
                found = self._asking.get_watermark_offsets(at, timeout=self._kafka.timeout_s)
            except KafkaException as error:
                if error.args[0].code() not in _CHANGING or self._clock.monotonic() >= until_s:
                    raise unreachable(self._kafka, error) from error
                time.sleep(_POLL_S)
                continue
            if found is None:
                raise unreachable(self._kafka, f"{name}/{partition} has no offsets")
            return int(found[0]), int(found[1])

    def read(self, name: str, partition: int, after: int, batches_max: int) -> list[Batch]:
        """Batches with offset > `after`. Raises OSError."""
        low, high = self.bounds(name, partition)
        first = max(low, after + 1)
        wanted = min(batches_max, high - first)
        if wanted <= 0:
            return []
        cursor = self._cursor(name, partition, first - 1, low)
        until_s = self._clock.monotonic() + self._kafka.timeout_s
        while len(cursor.fetched) < wanted and self._clock.monotonic() < until_s:
            if cursor.paused:
                cursor.paused = False
                self._consumer.resume([TopicPartition(name, partition)])
            self._fetch()
            if cursor.next >= high:  # the end, and fewer than there should be: some are gone by retention
                break
        if not cursor.fetched:
            raise unreachable(self._kafka, f"{name}/{partition} gives nothing though there are {wanted} batches")
        given = [cursor.fetched.popleft() for _ in range(min(wanted, len(cursor.fetched)))]
        cursor.after = given[-1].offset
        cursor.fetched_bytes -= sum(len(batch.payload) for batch in given)
        return given

    def items(self, name: str, partition: int, first: int, end: int) -> int:
        """How many items lie in the batches from `first` up to `end`. Raises OSError."""
        at = TopicPartition(name, partition, first)
        until_s = self._clock.monotonic() + self._kafka.timeout_s
        items = 0
        with failures_of(self._kafka):
            self._asking.incremental_assign([at])
            try:
                while first < end and self._clock.monotonic() < until_s:
                    for message in self._asking.consume(1, _POLL_S) + self._asking.consume(_AT_ONCE, 0):
                        ours = (message.topic(), message.partition()) == (name, partition)
                        if message.error() is None and ours and (offset := _number(message.offset())) < end:
                            items += _items(_headers(message))
                            first = offset + 1
            finally:
                self._asking.incremental_unassign([TopicPartition(name, partition)])
        if first < end:
            raise unreachable(self._kafka, f"{name}/{partition} does not give what it has")
        return items

    def _cursor(self, name: str, partition: int, after: int, low: int) -> _Cursor:
        """The cursor that stands after this offset: the one there is, or a new one that looks back for repeats."""
        place = (name, partition)
        cursor = self._cursors.pop(place, None)
        if cursor is None or cursor.after != after:
            begins = max(low, after + 1 - BATCHES_MAX)
            at = TopicPartition(name, partition, begins)
            with failures_of(self._kafka):
                if cursor is not None:
                    self._consumer.incremental_unassign([TopicPartition(name, partition)])
                self._know(name)
                self._consumer.incremental_assign([at])
            cursor = _Cursor(after, begins)
        self._cursors[place] = cursor
        if len(self._cursors) > _CURSORS_MAX:
            oldest = next(iter(self._cursors))
            del self._cursors[oldest]
            self._consumer.incremental_unassign([TopicPartition(*oldest)])
        return cursor

    def _know(self, name: str) -> None:
        """Where its partitions are: a consumer that is given an unknown topic looks for it at its leisure."""
        if name not in self._known:
            self._consumer.list_topics(name, timeout=self._kafka.timeout_s)
            self._known.add(name)

    def _fetch(self) -> None:
        """Take what has come, of any partition. What is not asked for waits: the others' share is in their cursors."""
        with failures_of(self._kafka):
            messages = self._consumer.consume(1, _POLL_S)
            messages += self._consumer.consume(_AT_ONCE, 0)
        for message in messages:
            if (error := message.error()) is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    continue
                raise unreachable(self._kafka, error.str())
            cursor = self._cursors.get((str(message.topic()), _number(message.partition())))
            if cursor is not None and _number(message.offset()) >= cursor.next:
                _take(cursor, message)
                if not cursor.paused and cursor.is_full:
                    cursor.paused = True
                    self._consumer.pause([TopicPartition(str(message.topic()), _number(message.partition()))])

    def close(self) -> None:
        with failures_of(self._kafka):
            self._consumer.close()
            self._asking.close()


def _take(cursor: _Cursor, message: Any) -> None:
    offset = _number(message.offset())
    headers = _headers(message)
    repeat = cursor.repeats.is_repeat(headers.get("id", b"").decode(errors="replace"))
    cursor.next = offset + 1
    cursor.time_s = max(cursor.time_s, message.timestamp()[1] / 1_000)
    if offset <= cursor.after:
        return  # only looked at for its id
    payload, items = (_NOTHING, 0) if repeat else (bytes(message.value() or b""), _items(headers))
    cursor.fetched_bytes += len(payload)
    cursor.fetched.append(Batch(_number(message.partition()), offset, cursor.time_s, items, payload))


def _headers(message: Any) -> dict[str, bytes]:
    return {name: value for name, value in message.headers() or [] if value is not None}


def _items(headers: dict[str, bytes]) -> int:
    """0 for what was not appended by a foregate: it is read, and what is in it counts as invalid."""
    text = headers.get("items", b"")
    return int(text) if text.isdigit() else 0


def _number(value: int | None) -> int:
    """Of a message that was stored: the library knows it, its types do not."""
    return -1 if value is None else value
