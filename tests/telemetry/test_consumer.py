"""The consumer: bus to windows, exactly once, and nothing that arrives can stop it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.telemetry.making import T0, event, payload, traffic
from tests.telemetry.world import Stores, assert_windows_equal_recomputation

from foregate.kernel.clock import ManualClock
from foregate.ports.bus import Batch
from foregate.telemetry.consumer import Consumer
from foregate.telemetry.reading import events_of
from foregate.telemetry.windows import Windower
from foregate.wire import TOPIC_EVENTS
from foregate.wire.usage import Usage
from foregate.wire.window import SPANS_S, StoredWindow


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = Stores(tmp_path, ManualClock(T0 + 3_000))
    yield stores
    stores.close()


def run_dry(consumer: Consumer) -> int:
    items = 0
    while new := consumer.step():
        items += new
    return items


def test_windows_offsets_and_accounts_agree_with_the_bus(stores: Stores) -> None:
    events = traffic(seed=1, count=2_000)
    for n, first in enumerate(range(0, 2_000, 50)):
        stores.publish(events[first : first + 50], partition=n % 4)
    assert run_dry(stores.consumer()) == 2_000
    assert_windows_equal_recomputation(stores)
    assert stores.series.offsets() == dict.fromkeys(range(4), 9)
    assert stores.series.counts() == {"accepted": 2_000}


def test_a_new_consumer_goes_on_where_the_old_one_stopped(stores: Stores) -> None:
    events = traffic(seed=2, count=900, seconds=2_700)
    for part in range(9):
        stores.publish(events[part * 100 : part * 100 + 100], partition=part % 4)
        assert run_dry(stores.consumer()) == 100
    assert_windows_equal_recomputation(stores)
    assert stores.consumer().step() == 0


def test_a_restarted_consumer_ticks_as_if_it_had_never_stopped(stores: Stores) -> None:
    events = traffic(seed=3, count=1_000, seconds=1_500)
    old = stores.consumer()
    for part in range(10):
        stores.publish(events[part * 100 : part * 100 + 100])
        run_dry(old)
    assert stores.consumer().windower.ticks(T0 + 1_500) == old.windower.ticks(T0 + 1_500)


@pytest.mark.parametrize(
    "body",
    [b"", b"\xc1", b"\xdd\x00\x00\x00\x03\x01", b"\xdd\xff\xff\xff\xff", b"\x91\xa3\xff\xff\xff", b"\x91\x91\x01"],
)
def test_a_batch_that_cannot_be_read_is_counted_and_passed_over(stores: Stores, body: bytes) -> None:
    stores.publish([event()])
    stores.publish_raw(body, items=3)
    stores.publish([event()])
    assert run_dry(stores.consumer()) == 5
    assert stores.series.counts() == {"accepted": 2, "invalid": 3}


@given(st.binary(max_size=80))
def test_no_bytes_whatever_make_decoding_fail(body: bytes) -> None:
    assert isinstance(events_of(Batch(0, 0, 0.0, 1, body)), list)
    damaged = payload([event()] * 2)
    at = len(body) * 7 % len(damaged)
    assert isinstance(events_of(Batch(0, 0, 0.0, 2, damaged[:at] + body + damaged[at + len(body) :])), list)


def test_every_item_ends_as_exactly_one_outcome(stores: Stores) -> None:
    stores.publish([event(time_s=T0 + 1_000), event(time_s=T0), event(time_s=T0 + 90_000), event(latency_ms=-2.0)])
    stores.publish_raw(b"junk", items=5)
    stores.publish_raw(payload([event(time_s=T0 + 999)]), items=3)  # two are missing
    items = run_dry(stores.consumer())
    counts = stores.series.counts()
    assert counts == {"accepted": 2, "late": 1, "invalid": 2 + 5 + 2}
    assert sum(counts.values()) == items


class FailingOnce:
    """A series writer whose disk is full for some writes."""

    def __init__(self, stores: Stores, failures: int) -> None:
        self._series = stores.series
        self.failures = failures
        self.offsets = stores.series.offsets
        self.newest_s = stores.series.newest_s
        self.expire = stores.series.expire
        self.expire_usage = stores.series.expire_usage
        self.roll_up = stores.series.roll_up

    def append(
        self,
        windows: Sequence[StoredWindow],
        offsets: Mapping[tuple[str, int], int],
        counts: Mapping[str, int],
        usage: Sequence[Usage] = (),
    ) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("disk full")
        self._series.append(windows, offsets, counts, usage)


def test_a_write_that_fails_is_made_up_for_and_counts_nothing_twice(stores: Stores) -> None:
    events = traffic(seed=4, count=300)
    consumer = Consumer(stores.bus, FailingOnce(stores, failures=3), stores.series, Windower(), stores.clock)
    failed = 0
    for part in range(6):
        stores.publish(events[part * 50 : part * 50 + 50], partition=part % 4)
        try:
            consumer.step()
        except OSError:
            failed += 1
    run_dry(consumer)
    assert failed == 3
    assert_windows_equal_recomputation(stores)
    assert stores.series.counts() == {"accepted": 300}


def test_catching_up_after_hours_makes_no_event_late(tmp_path: Path) -> None:
    clock = ManualClock(T0)
    stores = Stores(tmp_path, clock)
    for step in range(240):  # four hours, one batch a minute in each partition
        clock.jump_to(T0 + 60 * step)
        for partition in range(4):
            stores.publish([event(time_s=clock.now() - 1, request_bytes=partition)], partition)
    clock.advance(3_600)
    consumer = stores.consumer()
    steps = 0
    while consumer.step():
        steps += 1
    assert consumer.caught_up
    assert steps > 10
    assert stores.series.counts() == {"accepted": 960}
    assert_windows_equal_recomputation(stores)
    stores.close()


def test_a_bus_that_was_replaced_is_read_from_its_start(tmp_path: Path) -> None:
    clock = ManualClock(T0 + 100)
    stores = Stores(tmp_path, clock)
    for _ in range(5):
        stores.publish([event()])
    run_dry(stores.consumer())
    stores.close()
    for part in tmp_path.glob("bus.sqlite*"):
        part.unlink()
    stores = Stores(tmp_path, clock)
    stores.publish([event(), event()])
    assert run_dry(stores.consumer()) == 2
    assert stores.series.counts() == {"accepted": 7}
    stores.close()


def test_expiry_keeps_each_span_as_long_as_promised(tmp_path: Path) -> None:
    clock = ManualClock(T0)
    stores = Stores(tmp_path, clock)
    consumer = stores.consumer()
    for hour in range(0, 24 * 40, 4):
        clock.jump_to(T0 + 3_600 * hour)
        stores.publish([event(time_s=clock.now())])
        consumer.step()
    consumer.expire()
    now_s = clock.now()
    kept = {span_s: min(one.stats.start_s for one in stores.series.scan(span_s, 0, 1e12)) for span_s in SPANS_S}
    assert {span_s: (now_s - start_s) / 3_600 for span_s, start_s in kept.items()} == {
        10: 0,
        60: 168,
        300: 720,
        900: 720,
    }
    stores.close()


def test_a_clock_that_jumps_ahead_expires_nothing(tmp_path: Path) -> None:
    clock = ManualClock(T0)
    stores = Stores(tmp_path, clock)
    consumer = stores.consumer()
    stores.publish([event(time_s=T0)])
    consumer.step()
    clock.jump_to(T0 + 365 * 86_400)
    assert consumer.expire() == 0
    stores.close()


def test_a_reader_that_the_bound_of_the_bus_has_overtaken_counts_what_it_lost_and_goes_on(stores: Stores) -> None:
    consumer = stores.consumer()
    for _ in range(3):
        stores.publish([event()])
    run_dry(consumer)
    for _ in range(5):
        stores.publish([event()])
    assert stores.bus.trim(TOPIC_EVENTS, 1, {0: 2}).unread_items == 5
    stores.publish([event(), event()])
    assert run_dry(consumer) == 2
    assert consumer.lost_batches == 5
    assert stores.series.counts() == {"accepted": 5, "lost_batches": 5}


def test_a_reader_that_begins_with_an_old_bus_has_lost_nothing(stores: Stores) -> None:
    for _ in range(5):
        stores.publish([event()])
    stores.bus.trim(TOPIC_EVENTS, 1, {})
    stores.publish([event()])
    assert run_dry(stores.consumer()) == 1
    assert stores.series.counts() == {"accepted": 1}


def live(stores: Stores, consumer: Consumer, clock: ManualClock, seconds: int) -> None:
    for _ in range(seconds // 10):
        clock.advance(10.0)
        stores.publish([event(time_s=clock.now() - 1.0)])
        consumer.step()


@pytest.mark.parametrize("back_s", [1_800.0, 7_200.0, 40 * 86_400.0])
def test_a_clock_that_is_set_back_blinds_nobody(tmp_path: Path, back_s: float) -> None:
    clock = ManualClock(T0)
    stores = Stores(tmp_path, clock)
    consumer = stores.consumer()
    live(stores, consumer, clock, 2_400)
    clock.jump_to(clock.now() - back_s)
    from_s = clock.now()
    live(stores, consumer, clock, 600)
    assert consumer.clock_set_back == 1
    assert stores.series.counts() == {"accepted": 300, "clock_set_back": 1}
    assert sum(tick.w5.requests for tick in consumer.windower.ticks(clock.now() // 10 * 10)) >= 29
    panes = stores.series.scan(10, from_s, from_s + 600)
    assert len(panes) == 60
    stores.close()


def test_windows_of_a_time_that_is_lived_twice_count_both(tmp_path: Path) -> None:
    clock = ManualClock(T0)
    stores = Stores(tmp_path, clock)
    consumer = stores.consumer()
    live(stores, consumer, clock, 3_600)
    clock.jump_to(T0 + 1_200)
    live(stores, consumer, clock, 2_400)
    assert_windows_equal_recomputation(stores)
    stores.close()


def test_a_consumer_that_starts_after_the_clock_was_set_back_sees_new_events(tmp_path: Path) -> None:
    clock = ManualClock(T0)
    stores = Stores(tmp_path, clock)
    live(stores, stores.consumer(), clock, 3_600)
    clock.jump_to(T0 + 1_200)
    live(stores, stores.consumer(), clock, 600)
    assert stores.series.counts() == {"accepted": 420}
    stores.close()


def test_a_step_back_within_what_may_be_late_changes_nothing(tmp_path: Path) -> None:
    clock = ManualClock(T0)
    stores = Stores(tmp_path, clock)
    consumer = stores.consumer()
    live(stores, consumer, clock, 1_800)
    clock.jump_to(clock.now() - 600.0)
    live(stores, consumer, clock, 300)
    assert consumer.clock_set_back == 0
    assert_windows_equal_recomputation(stores)
    stores.close()
