"""Appending: produced with acknowledgements of all in-sync replicas, and waited for."""

from collections import Counter, OrderedDict
from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaException, Producer

from foregate.adapters.distributed.kafka.connection import client_settings, unreachable
from foregate.adapters.distributed.kafka.counting import COUNTS, Said, after, message
from foregate.adapters.distributed.kafka.topics import Topics
from foregate.kernel.clock import Clock
from foregate.kernel.ids import new_id
from foregate.ports.bus import Append
from foregate.wire.bus import Kafka

_SENT_MAX = 100_000  # batches that a handle remembers to have sent; the oldest go, repeats of them are for the readers
_MESSAGE_BYTES_MAX = 16_777_216  # before packing; the brokers' `message.max.bytes` is for the packed one
_LATER_S = 1.0  # that the library gets to say itself that its time is over
_POLL_S = 0.05


class Writer:
    """One producer. Not for two threads at a time."""

    def __init__(self, kafka: Kafka, topics: Topics, clock: Clock) -> None:
        self._kafka = kafka
        self._topics = topics
        self._clock = clock
        self._said = Said(new_id("w"), {})
        self._sent: OrderedDict[str, None] = OrderedDict()
        self._producer = Producer(
            client_settings(kafka)
            | {
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 0,  # who appends has collected already
                "compression.type": "zstd",
                "message.max.bytes": _MESSAGE_BYTES_MAX,
                "delivery.timeout.ms": int(kafka.timeout_s * 1_000),
            }
        )

    def append_all(self, appends: Sequence[Append]) -> list[bool]:
        """Which of them this handle had not sent before. Raises OSError unless all of them are confirmed: some may
        be stored then, and are dropped by readers when they come again."""
        ids = _ids(appends)
        new = [batch_id not in self._sent and batch_id not in ids[:index] for index, batch_id in enumerate(ids)]
        sending = [(one, batch_id) for one, batch_id, is_new in zip(appends, ids, new, strict=True) if is_new]
        if sending:
            said = after(self._said, (one for one, _ in sending))
            self._send(sending, said)
            self._said = said
        for _, batch_id in sending:
            self._sent[batch_id] = None
        while len(self._sent) > _SENT_MAX:
            self._sent.popitem(last=False)
        return new

    def _send(self, sending: Sequence[tuple[Append, str]], said: Said) -> None:
        names = {topic: self._topics.kafka_name(topic) for topic in (COUNTS, *(one.topic for one, _ in sending))}
        failures: list[Any] = []
        confirmed = 0

        def report(error: Any, _: Any) -> None:
            nonlocal confirmed
            confirmed += 1
            if error is not None:
                failures.append(error)

        time_ms = int(self._clock.now() * 1_000)
        common: dict[str, Any] = {"timestamp": time_ms, "on_delivery": report}
        try:
            for one, batch_id in sending:
                headers: dict[str, str | bytes | None] = {"id": batch_id.encode(), "items": b"%d" % one.items}
                name, place = names[one.topic], one.partition
                self._producer.produce(name, one.payload, partition=place, headers=headers, **common)
            self._producer.produce(names[COUNTS], message(said), said.writer, 0, **common)
        except (BufferError, KafkaException) as error:
            self._producer.purge()
            raise unreachable(self._kafka, error) from error
        until_s = self._clock.monotonic() + self._kafka.timeout_s + _LATER_S
        while confirmed <= len(sending) and self._clock.monotonic() < until_s:
            self._producer.poll(_POLL_S)
        if confirmed <= len(sending):
            self._producer.purge()
            raise unreachable(self._kafka, "not confirmed in time")
        if failures:
            raise unreachable(self._kafka, failures[0].str())

    def close(self) -> None:
        """Nothing waits to be sent: every append was waited for."""
        self._producer.purge()


def _ids(appends: Sequence[Append]) -> list[str]:
    """What readers know a batch by within its topic and partition. Of several with one `once` each has its own."""
    ordinals: Counter[tuple[str, int, str]] = Counter()
    ids = []
    for one in appends:
        place = f"{one.topic}/{one.partition}"
        if not one.once:
            ids.append(f"{place} {one.producer}#{one.sequence}")
            continue
        ordinals[(one.topic, one.partition, one.once)] += 1
        ids.append(f"{place} once {one.once}#{ordinals[(one.topic, one.partition, one.once)]}")
    return ids
