"""Events of the past: added to windows that are stored, exactly once, whatever is being windowed at the time."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.telemetry.making import T0, event, traffic
from tests.telemetry.world import Stores, assert_roll_ups_equal_recomputation, assert_windows_equal_recomputation

from foregate.kernel.clock import ManualClock
from foregate.telemetry.consumer import Consumer
from foregate.telemetry.facets import facets_of
from foregate.telemetry.retention import DAY_S, Retention
from foregate.telemetry.windows import Windower
from foregate.wire import TOPIC_HISTORY
from foregate.wire.window import SPANS_S

NOW_S = T0 + 3_000


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = Stores(tmp_path, ManualClock(NOW_S))
    yield stores
    stores.close()


def run_dry(consumer: Consumer) -> None:
    while consumer.step():
        pass


def roll_up_all(consumer: Consumer, clock: ManualClock) -> None:
    clock.advance(100)
    while consumer.roll_up():
        clock.advance(100)


def test_old_events_become_windows_and_hours_and_none_is_late(stores: Stores) -> None:
    consumer = stores.consumer()
    stores.publish(traffic(1, 300, seconds=2_900), topic="events")
    run_dry(consumer)
    stores.publish(traffic(2, 400, seconds=3_900, start_s=T0 - 4_000), topic=TOPIC_HISTORY)
    run_dry(consumer)
    roll_up_all(consumer, stores.clock)
    assert stores.series.counts() == {"accepted": 700}
    assert_windows_equal_recomputation(stores)
    assert_roll_ups_equal_recomputation(stores)


def test_more_of_the_same_past_is_added_to_what_is_stored(stores: Stores) -> None:
    for part in range(5):  # each by a consumer that knows nothing of the others' windows
        consumer = stores.consumer()
        stores.publish(traffic(part, 60, seconds=900, start_s=T0 - 90_000), part % 4, TOPIC_HISTORY)
        run_dry(consumer)
        roll_up_all(consumer, stores.clock)
    assert_windows_equal_recomputation(stores, spans=(60, 300, 900))
    assert_roll_ups_equal_recomputation(stores)


def test_the_past_may_be_ahead_of_what_the_gateway_has_said_so_far(stores: Stores) -> None:
    stores.publish(traffic(1, 100, seconds=300))
    run_dry(stores.consumer())
    ahead = traffic(2, 200, seconds=1_500, start_s=T0 + 1_200)
    stores.publish(ahead, topic=TOPIC_HISTORY)
    run_dry(stores.consumer())  # a new one: nobody remembers where the past has been
    consumer = stores.consumer()
    for step in range(10):
        stores.publish(traffic(3 + step, 40, seconds=270, start_s=T0 + 300 + 270 * step))
        stores.publish(traffic(30 + step, 10, seconds=2_900), topic=TOPIC_HISTORY)
        consumer.step()
    run_dry(consumer)
    assert stores.series.counts() == {"accepted": 800}
    assert_windows_equal_recomputation(stores)


def test_a_backlog_of_the_gateway_is_not_late_because_the_past_came_first(stores: Stores) -> None:
    stores.publish(traffic(1, 50, seconds=60))
    run_dry(stores.consumer())
    stores.publish(traffic(2, 50, seconds=10, start_s=NOW_S - 20), topic=TOPIC_HISTORY)
    run_dry(stores.consumer())
    stores.publish(traffic(3, 50, seconds=60, start_s=T0 + 60))
    run_dry(stores.consumer())
    assert stores.series.counts() == {"accepted": 150}
    assert_windows_equal_recomputation(stores)


def test_ticks_of_now_are_not_told_of_the_past_but_of_late_events(stores: Stores) -> None:
    whole, parted = stores.consumer(), Windower()
    stores.publish(traffic(1, 200, seconds=900, start_s=NOW_S - 900))
    whole.step()
    before = whole.windower.ticks(NOW_S)
    stores.publish(traffic(2, 200, seconds=600, start_s=NOW_S - 4_000), topic=TOPIC_HISTORY)
    run_dry(whole)
    assert whole.windower.ticks(NOW_S) == before
    recent = traffic(3, 100, seconds=850, start_s=NOW_S - 860)
    stores.publish(recent, topic=TOPIC_HISTORY)
    run_dry(whole)
    parted.add(traffic(1, 200, seconds=900, start_s=NOW_S - 900), NOW_S)
    parted.add(recent, NOW_S)
    assert whole.windower.ticks(NOW_S) == parted.ticks(NOW_S)
    assert whole.windower.ticks(NOW_S + 400) == parted.ticks(NOW_S + 400)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 1_000_000))
def test_any_mixture_of_now_and_past_equals_recomputation(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    chance = random.Random(seed)
    clock = ManualClock(T0)
    stores = Stores(tmp_path_factory.mktemp("mixture"), clock)
    consumer = stores.consumer()
    for step in range(chance.randrange(3, 12)):
        clock.advance(chance.choice((30, 200, 400, 800)))
        now_s = clock.now()
        if chance.random() < 0.7:
            stores.publish(traffic(seed + step, 12, seconds=300, start_s=now_s - 300, entities=2), step % 4)
        if chance.random() < 0.7:
            ago_s = chance.choice((200, 900, 1_000, 1_300, 5_000))
            stores.publish(
                traffic(-seed - step, 12, seconds=ago_s, start_s=now_s - ago_s, entities=2), step % 4, TOPIC_HISTORY
            )
        if chance.random() < 0.3:
            consumer = stores.consumer()
        if chance.random() < 0.8:
            consumer.step()
        if chance.random() < 0.5:
            consumer.windower.ticks(now_s // 10 * 10)
            consumer.windower.closed_minutes(now_s - 5)
    run_dry(consumer)
    roll_up_all(consumer, clock)
    assert_windows_equal_recomputation(stores)
    assert_roll_ups_equal_recomputation(stores)
    assert sum(stores.series.counts().values()) == len(stores.events())
    stores.close()


def test_what_is_older_than_it_would_be_kept_is_accepted_and_not_stored(tmp_path: Path) -> None:
    clock = ManualClock(T0 + 100 * DAY_S)
    stores = Stores(tmp_path, clock)
    consumer = Consumer(
        stores.bus, stores.series, stores.series, Windower(), clock, Retention(days=30, by_org={"brief": 2})
    )
    for org in ("default", "brief"):
        for days in (0.05, 1, 5, 20, 40):
            stores.publish([event(org=org, time_s=clock.now() - days * DAY_S)], topic=TOPIC_HISTORY)
    run_dry(consumer)
    assert stores.series.counts() == {"accepted": 10}
    for _ in range(2):  # nothing more is left to expire
        kept = {
            org: [sum(one.entity.org == org for one in stores.series.scan(span_s, 0, 1e12)) for span_s in SPANS_S]
            for org in ("default", "brief")
        }
        assert kept == {"default": [1, 3, 4, 4], "brief": [1, 2, 2, 2]}
        consumer.expire()
    stores.close()


def test_an_hour_whose_first_quarter_has_expired_is_not_made_of_the_others(tmp_path: Path) -> None:
    hour_s = T0 // 3_600 * 3_600
    clock = ManualClock(hour_s + 30 * DAY_S - 60)
    stores = Stores(tmp_path, clock)
    consumer = stores.consumer()
    stores.publish([event(time_s=hour_s + quarter * 900 + 1) for quarter in range(4)], topic=TOPIC_HISTORY)
    run_dry(consumer)
    roll_up_all(consumer, clock)
    clock.advance(300)
    stores.publish([event(time_s=hour_s + 2_701), event(time_s=hour_s + 3_601)], topic=TOPIC_HISTORY)
    run_dry(consumer)
    consumer.expire()
    stores.publish([event(time_s=hour_s + 2_702), event(time_s=hour_s + 3_602)], topic=TOPIC_HISTORY)
    run_dry(consumer)
    roll_up_all(consumer, clock)
    for span_s, requests in ((3_600, [4, 2]), (86_400, [6])):
        assert [window.stats.requests for window in stores.series.scan(span_s, 0, 1e12)] == requests
    stores.close()


def test_an_org_with_days_of_its_own_keeps_nothing_for_longer(tmp_path: Path) -> None:
    clock = ManualClock(T0)
    stores = Stores(tmp_path, clock)
    consumer = Consumer(
        stores.bus, stores.series, stores.series, Windower(), clock, Retention(days=10, by_org={"brief": 2, "long": 20})
    )
    for day in range(25):
        clock.jump_to(T0 + DAY_S * day)
        stores.publish([event(org=org, time_s=clock.now()) for org in ("default", "brief", "long")])
        consumer.step()
    consumer.expire()
    found = [one.entity.org for one in stores.series.scan(900, 0, 1e12)]
    assert {org: found.count(org) for org in found} == {"default": 11, "brief": 3, "long": 21}
    stores.close()


def test_entities_of_the_past_are_bounded_too(stores: Stores) -> None:
    consumer = Consumer(stores.bus, stores.series, stores.series, Windower(entities_max=3), stores.clock)
    old = [event(time_s=T0 - 90_000, route=f"/r/{n}") for n in range(10)]
    stores.publish(old, topic=TOPIC_HISTORY)
    run_dry(consumer)
    found = {one.entity.route: one.stats.requests for one in stores.series.scan(60, 0, 1e12)}
    assert found == {"/r/0": 1, "/r/1": 1, "/r/2": 1, "other": 7}
    assert stores.series.counts() == {"accepted": 10, "overflow": 7}


def test_a_sender_whose_clock_is_ahead_makes_nobody_late_even_in_a_backlog(tmp_path: Path) -> None:
    clock = ManualClock(T0)
    stores = Stores(tmp_path, clock)
    for minute in range(60):
        clock.jump_to(T0 + 60 * minute)
        stores.publish([event(time_s=clock.now()), event(time_s=clock.now() + 3_000)])
    clock.jump_to(T0 + 7_200)
    run_dry(stores.consumer())
    assert stores.series.counts() == {"accepted": 60, "invalid": 60}
    stores.close()


def test_facets_say_who_asked_and_with_which_result(stores: Stores) -> None:
    consumer = stores.consumer()
    now = [event(time_s=T0 + 2_900 + n / 100, key_id=f"key_{n % 3}", client=f"192.0.2.{n % 7}") for n in range(60)]
    old = [event(time_s=T0 - 9_000, key_id="", status=500, client="192.0.2.9") for _ in range(5)]
    stores.publish(now)
    stores.publish(old, topic=TOPIC_HISTORY)
    run_dry(consumer)
    facets = facets_of(stores.series.scan(60, T0 + 2_880, T0 + 3_000)[0])
    assert (facets.counts, facets.clients.estimate()) == ([0, 60, 0, 0, 0], 7)
    assert facets.keys.top(2) == [("key_0", 20), ("key_1", 20)]
    facets = facets_of(stores.series.scan(900, T0 - 9_900, T0 - 8_000)[0])
    assert (facets.counts, facets.keys.top(9), facets.clients.estimate()) == ([0, 0, 0, 0, 5], [], 1)
    assert stores.series.scan(10, T0 + 2_900, T0 + 3_000)[0].facets == b""
