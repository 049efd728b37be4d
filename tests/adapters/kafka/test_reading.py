"""A repeat is empty for every reader, wherever it began; what is not ours does not stop one."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from confluent_kafka import Producer
from tests.ports.kafka_server import KafkaServer

from foregate.adapters.distributed.kafka import KafkaBus, reading
from foregate.kernel.clock import SystemClock
from foregate.ports.bus import Append
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


def test_what_comes_while_another_partition_is_waited_for_is_bounded_and_not_lost(
    bus: KafkaBus, settings: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_AHEAD_MAX", 8)
    bus.append_all([Append("events", 1, b"\x91\x01", 1, "p", sequence) for sequence in range(1, 601)])
    given: list[int] = []
    for slow in range(30):
        bus.append("events", 0, b"\x91\x02", 1, producer="slow", sequence=slow + 1)
        assert [batch.offset for batch in bus.read("events", 0, slow - 1, 10)] == [slow]
        given += [batch.offset for batch in bus.read("events", 1, len(given) - 1, 2)]
        reader = bus._reader
        assert reader is not None
        # One answer of the library, which came before it was told to pause, may be on its way still.
        assert max(len(cursor.fetched) for cursor in reader._cursors.values()) <= 8 + reading._AT_ONCE + 1
    while found := bus.read("events", 1, len(given) - 1, 100):
        given += [batch.offset for batch in found]
    assert given == list(range(600))
