"""The bus: durable, ordered, idempotent. One suite for every adapter; what one keeps beyond it has its own."""

import threading

import pytest
from tests.ports.conftest import BusAdapter

from foregate.ports.bus import Append, Batch, Bus

TOPIC = "events"


def append(bus: Bus, sequence: int, *, partition: int = 0, producer: str = "p", topic: str = TOPIC) -> bool:
    return bus.append(topic, partition, b"payload %d" % sequence, sequence + 1, producer=producer, sequence=sequence)


def one(once: str = "", *, topic: str = TOPIC, partition: int = 0, sequence: int = 0, items: int = 1) -> Append:
    return Append(topic, partition, b"payload", items, producer="p", sequence=sequence, once=once)


def kept(bus: Bus, *, topic: str = TOPIC, partition: int = 0) -> list[Batch]:
    """What is there for a reader: a repeat that was stored is empty."""
    return [batch for batch in bus.read(topic, partition, -1, 1_000) if batch.items]


def test_reading_starts_after_the_given_offset_and_keeps_its_bound(bus_adapter: BusAdapter) -> None:
    bus = bus_adapter.open_bus()
    for sequence in range(10):
        append(bus, sequence)
    assert [one.offset for one in bus.read(TOPIC, 0, 3, 4)] == [4, 5, 6, 7]
    assert bus.read(TOPIC, 0, 9, 4) == []


def test_partitions_and_topics_have_offsets_of_their_own(bus_adapter: BusAdapter) -> None:
    bus = bus_adapter.open_bus()
    append(bus, 0, partition=1)
    append(bus, 1, partition=3)
    append(bus, 0, partition=1, topic="alerts")
    assert [bus.last_offset(TOPIC, partition) for partition in range(bus.partitions)] == [-1, 0, -1, 0]
    assert bus.last_offset("alerts", 1) == 0


def test_what_was_appended_is_read_in_order_by_another_handle(bus_adapter: BusAdapter) -> None:
    bus = bus_adapter.open_bus()
    assert all(append(bus, sequence) for sequence in range(5))
    batches = bus_adapter.open_bus().read(TOPIC, 0, -1, 100)
    assert [(one.partition, one.offset, one.items, one.payload) for one in batches] == [
        (0, n, n + 1, b"payload %d" % n) for n in range(5)
    ]
    assert {one.time_s for one in batches} == {bus_adapter.clock.now()}


def test_a_batch_sent_again_is_dropped(bus_adapter: BusAdapter) -> None:
    bus = bus_adapter.open_bus()
    assert append(bus, 7)
    assert not append(bus, 7)
    assert append(bus_adapter.open_bus(), 7) == bus_adapter.keeps_repeats
    assert append(bus_adapter.open_bus(), 8)
    assert [batch.items for batch in kept(bus_adapter.open_bus())] == [8, 9]


def test_producers_and_topics_do_not_share_sequences(bus_adapter: BusAdapter) -> None:
    bus = bus_adapter.open_bus()
    assert append(bus, 7)
    assert append(bus, 7, producer="q")
    assert append(bus, 7, topic="alerts")


def test_a_partition_that_does_not_exist_is_refused(bus_adapter: BusAdapter) -> None:
    bus = bus_adapter.open_bus()
    with pytest.raises(ValueError, match="partition 4 of 4"):
        append(bus, 0, partition=4)


def test_several_writers_at_once_lose_and_double_nothing(bus_adapter: BusAdapter) -> None:
    handles = [bus_adapter.open_bus() for _ in range(4)]

    def write(number: int, bus: Bus) -> None:
        for sequence in range(50):
            assert append(bus, sequence, producer=f"writer {number}")

    threads = [threading.Thread(target=write, args=pair) for pair in enumerate(handles)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    batches = handles[0].read(TOPIC, 0, -1, 1_000)
    assert [one.offset for one in batches] == list(range(200))
    assert sorted(one.items for one in batches) == sorted(list(range(1, 51)) * 4)


def test_several_batches_are_stored_at_once_in_their_order(bus_adapter: BusAdapter) -> None:
    bus = bus_adapter.open_bus()
    appends = [one(partition=n % 2, sequence=n + 1, items=n) for n in range(6)]
    appends += [one(topic="alerts", sequence=1), one(sequence=1)]
    assert bus.append_all(appends) == [True] * 7 + [False]
    assert [(batch.offset, batch.items) for batch in bus_adapter.open_bus().read(TOPIC, 0, -1, 10)] == [
        (0, 0), (1, 2), (2, 4),
    ]  # fmt: skip
    assert [batch.items for batch in bus.read(TOPIC, 1, -1, 10)] == [1, 3, 5]
    assert len(bus.read("alerts", 0, -1, 10)) == 1


def test_of_several_batches_all_are_stored_or_none(bus_adapter: BusAdapter) -> None:
    bus = bus_adapter.open_bus()
    with pytest.raises(ValueError, match="partition 4 of 4"):
        bus.append_all([one(sequence=1), one(partition=4, sequence=2)])
    assert bus.read(TOPIC, 0, -1, 10) == []
    assert bus.append_all([]) == []


def test_the_items_ever_appended_are_counted_by_topic(bus_adapter: BusAdapter) -> None:
    bus = bus_adapter.open_bus()
    assert bus.appended(TOPIC) == 0
    bus.append_all([one(sequence=n + 1, partition=n, items=10) for n in range(3)])
    append(bus, 6, topic="alerts")
    bus.expire(TOPIC, bus_adapter.clock.now() + 1)
    assert not bus.append(TOPIC, 0, b"", 10, producer="p", sequence=1)
    assert (bus_adapter.open_bus().appended(TOPIC), bus_adapter.open_bus().appended("alerts")) == (30, 7)


def test_one_reader_is_assigned_every_partition(bus_adapter: BusAdapter) -> None:
    assert list(bus_adapter.open_bus().assigned(TOPIC)) == [0, 1, 2, 3]


def test_batches_of_one_id_are_read_once_whoever_sends_them_again(bus_adapter: BusAdapter) -> None:
    bus = bus_adapter.open_bus()
    several = [one("a"), one("a", topic="spans", partition=1), one("b"), one("a")]
    assert bus.append_all(several) == [True, True, True, True]
    assert bus.append_all([one("b"), one("a")]) == [False, False]
    again = bus_adapter.keeps_repeats
    assert bus_adapter.open_bus().append_all([one("b"), one("c"), one("a")]) == [again, True, again]
    assert len(kept(bus)) == 4
    assert len(kept(bus_adapter.open_bus(), topic="spans", partition=1)) == 1


def test_what_failed_to_be_stored_may_be_sent_again_under_its_id(bus_adapter: BusAdapter) -> None:
    bus = bus_adapter.open_bus()
    with pytest.raises(ValueError, match="partition 9 of 4"):
        bus.append_all([one("a"), one("b", partition=9)])
    assert bus.append_all([one("a")]) == [True]


def test_the_lag_is_what_lies_beyond_the_offsets(bus_adapter: BusAdapter) -> None:
    bus = bus_adapter.open_bus()
    bus.append_all([one(partition=n % 2, sequence=n + 1, items=10) for n in range(10)])
    for read_to, batches in (({}, 10), ({0: 1}, 8), ({0: 4, 1: 3}, 1), ({0: 4, 1: 4}, 0)):
        lag = bus_adapter.open_bus().lag(TOPIC, read_to)
        assert lag.batches == batches
        assert lag.items == 10 * batches


def test_a_reader_may_go_back_and_forth(bus_adapter: BusAdapter) -> None:
    bus = bus_adapter.open_bus()
    for sequence in range(30):
        append(bus, sequence)
    for after in (-1, 20, 3, 3, 28, -1):
        assert [batch.offset for batch in bus.read(TOPIC, 0, after, 5)] == list(range(after + 1, min(30, after + 6)))
        assert len(bus.read(TOPIC, 1, -1, 5)) == 0
