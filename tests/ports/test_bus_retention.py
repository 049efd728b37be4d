"""The log on one machine: what it deletes, and in which order; what it counts of that."""

import random

import pytest
from tests.ports.conftest import Adapter
from tests.ports.test_bus import append, one

from foregate.adapters.embedded.bus import EmbeddedBus

TOPIC = "events"
LARGE = random.Random(0).randbytes(20_000)  # cannot be packed


def test_expiry_deletes_the_old_and_offsets_go_on(adapter: Adapter) -> None:
    bus = adapter.open_bus()
    for sequence in range(1_200):
        append(bus, sequence, partition=sequence % 2)
        adapter.clock.advance(1.0)
    border_s = bus.read(TOPIC, 0, -1, 1)[0].time_s + 1_100
    assert bus.expire(TOPIC, border_s) == 1_100
    assert bus.read(TOPIC, 0, -1, 1)[0].time_s == border_s
    assert bus.expire(TOPIC, border_s + 10_000) == 100
    assert bus.read(TOPIC, 0, -1, 10) == []
    assert bus.last_offset(TOPIC, 0) == 599
    append(bus, 5_000)
    assert bus.read(TOPIC, 0, -1, 10)[0].offset == 600


def test_expiry_leaves_other_topics_alone(adapter: Adapter) -> None:
    bus = adapter.open_bus()
    append(bus, 0, topic="alerts")
    assert bus.expire(TOPIC, adapter.clock.now() + 1) == 0
    assert len(bus.read("alerts", 0, -1, 10)) == 1


def test_time_never_goes_back_within_a_partition(adapter: Adapter) -> None:
    bus = adapter.open_bus()
    append(bus, 0)
    adapter.clock.jump_to(adapter.clock.now() - 3_600)
    append(bus, 1)
    first, second = bus.read(TOPIC, 0, -1, 10)
    assert second.time_s == first.time_s


def test_after_the_clock_was_ahead_time_and_expiry_come_back_to_it(adapter: Adapter) -> None:
    bus, right_s = adapter.open_bus(), adapter.clock.now()
    append(bus, 0)
    adapter.clock.jump_to(right_s + 31_536_000)
    for sequence in range(1, 1_300):
        append(bus, sequence)
    adapter.clock.jump_to(right_s)
    append(bus, 1_300)
    for _ in range(70):
        bus.expire(TOPIC, right_s - 1)
        adapter.clock.advance(60.0)
    times_s = [one.time_s for one in bus.read(TOPIC, 0, -1, 2_000)]
    assert times_s == [right_s] + [right_s + 3_600] * 1_300
    append(bus, 1_301)
    assert bus.read(TOPIC, 0, 1_300, 1)[0].time_s == adapter.clock.now()
    assert bus.expire(TOPIC, right_s + 3_601) == 1_301
    assert offsets(bus, 0) == [1_301]


def test_a_clock_that_is_set_back_for_less_than_an_hour_changes_no_time(adapter: Adapter) -> None:
    bus, right_s = adapter.open_bus(), adapter.clock.now()
    append(bus, 0)
    for _ in range(3):
        adapter.clock.jump_to(0.0)
        for _ in range(59):
            bus.expire(TOPIC, 1.0)
            adapter.clock.advance(60.0)
        adapter.clock.jump_to(right_s)
        bus.expire(TOPIC, 1.0)
    assert bus.read(TOPIC, 0, -1, 1)[0].time_s == right_s


def fill(bus: EmbeddedBus, batches: int, partitions: int = 2) -> None:
    for sequence in range(batches):
        bus.append(TOPIC, sequence % partitions, LARGE, 3, producer="p", sequence=sequence)


def offsets(bus: EmbeddedBus, partition: int) -> list[int]:
    return [one.offset for one in bus.read(TOPIC, partition, -1, 10_000)]


def test_a_log_within_its_bound_is_left_alone(adapter: Adapter) -> None:
    bus = adapter.open_bus()
    fill(bus, 10)
    assert bus.trim(TOPIC, bus.bytes_used, {0: 4, 1: 4}).batches == 0
    assert offsets(bus, 0) == offsets(bus, 1) == list(range(5))


def test_at_the_bound_the_oldest_that_were_read_go_first(adapter: Adapter) -> None:
    bus = adapter.open_bus()
    for sequence in range(100):
        adapter.clock.advance(1.0)
        bus.append(TOPIC, sequence % 2, LARGE, 3, producer="p", sequence=sequence)
    bound = bus.bytes_used - 100_000
    gone = bus.trim(TOPIC, bound, {0: -1, 1: 49})
    assert 0.9 * bound < bus.bytes_used <= 0.95 * bound
    assert gone.unread_items == 0
    assert gone.items == 3 * gone.batches
    assert offsets(bus, 0) == list(range(50))
    assert offsets(bus, 1) == list(range(gone.batches, 50))


def test_at_the_bound_the_oldest_at_all_go_when_none_was_read(adapter: Adapter) -> None:
    bus = adapter.open_bus()
    for sequence in range(100):
        adapter.clock.advance(1.0)
        bus.append(TOPIC, sequence % 2, LARGE, 3, producer="p", sequence=sequence)
    gone = bus.trim(TOPIC, bus.bytes_used // 2, {0: 9})
    assert gone.batches > 50
    assert gone.unread_items == 3 * (gone.batches - 10)
    assert bus.bytes_used < 100 * 20_000 / 2
    kept = [len(offsets(bus, partition)) for partition in (0, 1)]
    assert sum(kept) == 100 - gone.batches
    assert bus.last_offset(TOPIC, 0) == 49


def test_what_a_trim_has_freed_is_used_again(adapter: Adapter) -> None:
    bus = adapter.open_bus()
    bound = 2_000_000
    for sequence in range(1_000):
        bus.append(TOPIC, sequence % 4, LARGE, 3, producer="p", sequence=sequence)
        bus.trim(TOPIC, bound, {})
    assert bus.bytes_used <= bound
    assert sum(len(offsets(bus, partition)) for partition in range(4)) > 70
    bus.close()
    assert adapter.bus_file.stat().st_size <= 1.1 * bound


def test_a_bound_that_cannot_be_kept_empties_the_topic_and_no_other(adapter: Adapter) -> None:
    bus = adapter.open_bus()
    fill(bus, 10)
    append(bus, 0, topic="alerts")
    assert bus.trim(TOPIC, 100, {}).batches == 10
    assert len(bus.read("alerts", 0, -1, 10)) == 1


@pytest.mark.parametrize("other", ["alerts", "risks"])
def test_nothing_unread_goes_for_a_bound_that_other_topics_break_alone(adapter: Adapter, other: str) -> None:
    bus = adapter.open_bus()
    fill(bus, 10)
    bus.append(other, 3, random.Random(1).randbytes(1_000_000), 1, producer="p", sequence=0)
    gone = bus.trim(TOPIC, 1_000_000, {0: 1})
    assert (gone.batches, gone.unread_items) == (2, 0)
    assert (offsets(bus, 0), offsets(bus, 1)) == ([2, 3, 4], [0, 1, 2, 3, 4])


def test_an_id_is_forgotten_after_a_day(adapter: Adapter) -> None:
    bus = adapter.open_bus()
    assert bus.append_all([one("a")]) == [True]
    adapter.clock.advance(86_399.0)
    assert bus.append_all([one("a")]) == [False]
    adapter.clock.advance(2.0)
    assert [bus.append_all([one("a")]) for _ in range(2)] == [[True], [False]]


def test_items_that_a_trim_has_deleted_unread_stay_counted(adapter: Adapter) -> None:
    bus = adapter.open_bus()
    fill(bus, 20)
    gone = bus.trim(TOPIC, bus.bytes_used - 100_000, {0: 1})
    assert gone.unread_items == gone.items - 6 > 0
    assert bus.lost(TOPIC) == adapter.open_bus().lost(TOPIC) == gone.unread_items
    assert bus.lost("alerts") == 0


def test_a_batch_sent_again_is_dropped_even_after_it_expired(adapter: Adapter) -> None:
    bus = adapter.open_bus()
    append(bus, 7)
    bus.expire(TOPIC, adapter.clock.now() + 1)
    assert not append(bus, 7)


def test_topics_are_told_by_name_even_when_they_are_empty(adapter: Adapter) -> None:
    bus = adapter.open_bus()
    assert bus.topics() == []
    append(bus, 0, topic="risks", partition=2)
    append(bus, 1, topic="risks", partition=3)
    append(bus, 0)
    bus.expire("risks", adapter.clock.now() + 1)
    assert bus.topics() == [TOPIC, "risks"]
