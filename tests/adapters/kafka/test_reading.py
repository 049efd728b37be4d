"""A repeat is empty for every reader, wherever it began; what is not ours does not stop one."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from confluent_kafka import Producer
from tests.ports.kafka_server import KafkaServer

from foregate.adapters.distributed.kafka import KafkaBus
from foregate.kernel.clock import SystemClock
from foregate.wire.bus import Kafka


@pytest.fixture
def settings(kafka: KafkaServer) -> Kafka:
    return kafka.fresh()


@pytest.fixture
def bus(settings: Kafka) -> Iterator[KafkaBus]:
    with closing(KafkaBus(settings, SystemClock())) as opened:
        yield opened


def test_a_reader_that_begins_after_the_first_knows_the_second_for_a_repeat(bus: KafkaBus, settings: Kafka) -> None:
    for sequence in range(1, 6):
        bus.append("events", 0, b"\x91\x01", 1, producer="p", sequence=sequence)
    with closing(KafkaBus(settings, SystemClock())) as restarted:
        assert restarted.append("events", 0, b"\x91\x01", 1, producer="p", sequence=2)
        restarted.append("events", 0, b"\x91\x02", 1, producer="p", sequence=6)
        found = restarted.read("events", 0, 4, 10)
        assert [(batch.offset, batch.items, batch.payload) for batch in found] == [(5, 0, b"\x90"), (6, 1, b"\x91\x02")]


def test_a_message_of_somebody_else_is_a_batch_of_unknown_items(bus: KafkaBus, settings: Kafka) -> None:
    bus.append("events", 0, b"\x91\x01", 1, producer="p", sequence=1)
    other = Producer({"bootstrap.servers": settings.brokers[0]})
    for value in (b"hello", None):
        other.produce(settings.topic_raw, value, partition=0)
    other.flush(10)
    assert [(batch.items, batch.payload) for batch in bus.read("events", 0, -1, 10)] == [
        (1, b"\x91\x01"), (0, b"hello"), (0, b""),
    ]  # fmt: skip
