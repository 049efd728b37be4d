"""The port, on the parts."""

import threading
from collections.abc import Mapping, Sequence

from foregate.adapters.distributed.kafka.counting import COUNTS, Totals
from foregate.adapters.distributed.kafka.reading import Reader
from foregate.adapters.distributed.kafka.sharing import Member
from foregate.adapters.distributed.kafka.topics import Topics
from foregate.adapters.distributed.kafka.writing import Writer
from foregate.kernel.clock import Clock
from foregate.ports.bus import Append, Batch, Lag, Trimmed
from foregate.wire.bus import Kafka

_COUNTS_AT_ONCE = 1_000
_COUNTED_BATCHES_MAX = 500  # of a lag; the items of a longer one are not told


class KafkaBus:
    """Keeps `foregate.ports.bus.Bus`. Threads may share it; they take turns, writers and readers apart.

    `reader` names who reads: with `kafka.group` set, machines whose readers have the same name share the partitions.
    Raises OSError when the brokers do not answer.
    """

    def __init__(self, kafka: Kafka, clock: Clock, *, reader: str = "") -> None:
        self._kafka = kafka
        self._clock = clock
        self._reader_name = reader
        self._topics = Topics(kafka, clock)
        self._writing, self._reading = threading.Lock(), threading.Lock()
        self._writer: Writer | None = None
        self._reader: Reader | None = None
        self._totals = Totals()
        self._member: Member | None = None

    @property
    def partitions(self) -> int:
        return self._topics.partitions

    def append(self, topic: str, partition: int, payload: bytes, items: int, *, producer: str, sequence: int) -> bool:
        """Store one batch durably. False when this handle has sent it before; what others have sent, readers drop."""
        return self.append_all([Append(topic, partition, payload, items, producer, sequence)])[0]

    def append_all(self, appends: Sequence[Append]) -> list[bool]:
        """Confirmed by all in-sync replicas, every one, or OSError: then some may be stored, and are to be sent
        again under the same ids."""
        for one in appends:
            self._check(one.partition)
        with self._writing:
            self._writer = self._writer or Writer(self._kafka, self._topics, self._clock)
            return self._writer.append_all(appends)

    def assigned(self, topic: str) -> Sequence[int]:
        """All partitions, or with a group those of this machine: ask before each step.

        The same of every topic: what changes the windows of a service, of now or of the past, is one machine's.
        """
        if not self._kafka.group or not self._reader_name:
            return range(self.partitions)
        with self._reading:
            if self._member is None:
                group = f"{self._kafka.group}.{self._reader_name}"
                self._member = Member(self._kafka, group, self._kafka.topic_raw)
            return self._member.partitions()

    def read(self, topic: str, partition: int, after: int, batches_max: int) -> list[Batch]:
        """Batches with offset > `after`, oldest first; one that was there before is empty."""
        self._check(partition)
        name = self._topics.kafka_name(topic)
        with self._reading:
            return self._open_reader().read(name, partition, after, batches_max)

    def last_offset(self, topic: str, partition: int) -> int:
        """The newest offset, or -1."""
        return self._bounds(topic, partition)[1] - 1

    def lag(self, topic: str, read_to: Mapping[int, int]) -> Lag:
        """How many items they hold stands in them: they are read for it, unless there are many."""
        ranges = {}
        for partition in range(self.partitions):
            oldest, end = self._bounds(topic, partition)
            first = max(oldest, read_to.get(partition, -1) + 1)
            if first < end:
                ranges[partition] = first, end
        batches = sum(end - first for first, end in ranges.values())
        if batches > _COUNTED_BATCHES_MAX:
            return Lag(batches, None)
        name = self._topics.kafka_name(topic)
        with self._reading:
            reader = self._open_reader()
            return Lag(batches, sum(reader.items(name, at, first, end) for at, (first, end) in ranges.items()))

    def appended(self, topic: str) -> int:
        """How many items were ever appended, by what the writers say (`counting`)."""
        name = self._topics.kafka_name(COUNTS)
        with self._reading:
            reader = self._open_reader()
            while batches := reader.read(name, 0, self._totals.read_to, _COUNTS_AT_ONCE):
                self._totals.add(batches)
            return self._totals.items(topic)

    def _bounds(self, topic: str, partition: int) -> tuple[int, int]:
        self._check(partition)
        name = self._topics.kafka_name(topic)
        with self._reading:
            return self._open_reader().bounds(name, partition)

    def _open_reader(self) -> Reader:
        self._reader = self._reader or Reader(self._kafka, self._clock)
        return self._reader

    def topics(self) -> list[str]:
        return self._topics.ours()

    def expire(self, topic: str, older_than_s: float) -> int:
        """Nothing: the topic's own `retention.ms` deletes."""
        return 0

    @property
    def bytes_used(self) -> int:
        """0: what Kafka holds is bounded by its topics' settings, not by ours."""
        return 0

    def trim(self, topic: str, bytes_max: int, read_to: Mapping[int, int], *, unread: bool = True) -> Trimmed:
        """Nothing, as `expire`."""
        return Trimmed(0, 0, 0)

    def lost(self, topic: str) -> int:
        """0: nothing is trimmed by us. What Kafka deletes unread, a reader meets as a gap in the offsets."""
        return 0

    def _check(self, partition: int) -> None:
        if not 0 <= partition < self.partitions:
            raise ValueError(f"partition {partition} of {self.partitions}")

    def close(self) -> None:
        with self._writing, self._reading:
            for part in (self._writer, self._reader, self._member):
                if part is not None:
                    part.close()
            self._writer, self._reader, self._member = None, None, None
