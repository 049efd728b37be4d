"""Hopping windows and closed minutes equal a recomputation from the events."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.telemetry.making import T0, assert_window, by_window, event, traffic

from foregate.telemetry.windows import Windower
from foregate.wire.entity import Entity
from foregate.wire.event import RequestEvent
from foregate.wire.window import Tick


def assert_ticks(ticks: list[Tick], events: list[RequestEvent], time_s: float) -> None:
    """`events` are all that were added before the tick."""
    recent = {one.entity for one in events if time_s - 900 <= one.time_s < time_s}
    assert [tick.entity for tick in ticks] == sorted(recent)
    for tick in ticks:
        for span_s, stats in ((60, tick.w1), (300, tick.w5), (900, tick.w15)):
            assert (stats.start_s, stats.span_s) == (time_s - span_s, span_s)
            inside = [one for one in events if one.entity == tick.entity and time_s - span_s <= one.time_s < time_s]
            assert_window(stats, inside)


@pytest.mark.parametrize("seed", range(3))
def test_a_tick_every_ten_seconds_equals_recomputation(seed: int) -> None:
    events = traffic(seed, 1_500, seconds=2_400)
    windower, added = Windower(), []
    for step in range(1, 245):
        now_s = T0 + 10 * step
        new = [one for one in events if now_s - 10 <= one.time_s < now_s]
        added += new
        windower.add(new, now_s)
        ticks = windower.ticks(now_s)
        if step % 7 == 0 or step < 5:
            assert_ticks(ticks, added, now_s)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 1_000),
    delays=st.lists(st.sampled_from([0, 0, 0, 5, 15, 70, 400]), min_size=200, max_size=200),
    steps=st.lists(st.sampled_from([10, 10, 10, 20, 60, 100, 110, 300, 1_000]), min_size=5, max_size=30),
)
def test_late_events_and_skipped_ticks_change_nothing(seed: int, delays: list[int], steps: list[int]) -> None:
    events = traffic(seed, 200, seconds=800, entities=2)
    arriving = sorted(zip(events, delays, strict=True), key=lambda pair: pair[0].time_s + pair[1])
    windower, added, now_s = Windower(), [], T0
    for step in steps:
        new = [one for one, delay in arriving if now_s <= one.time_s + delay < now_s + step]
        now_s += step
        added += new
        windower.add(new, now_s)
        assert_ticks(windower.ticks(now_s), added, now_s)
    assert windower.counts["late"] == 0


def test_a_tick_may_go_back_and_is_computed_anew() -> None:
    events = traffic(seed=4, count=300, seconds=600)
    windower = Windower()
    windower.add(events, T0 + 600)
    windower.ticks(T0 + 600)
    before = [one for one in events if one.time_s < T0 + 400]
    assert_ticks(windower.ticks(T0 + 400), before, T0 + 400)


def test_many_entities_get_rows_and_give_them_back() -> None:
    windower = Windower()
    for hour in range(3):
        now_s = T0 + 3_600 * hour
        new = [event(time_s=now_s + 1, route=f"/{hour}/{n}", latency_ms=float(n + 1)) for n in range(300)]
        windower.add(new, now_s + 10)
        assert_ticks(windower.ticks(now_s + 10), new, now_s + 10)
    assert len(windower._hopping._sums) <= 1_024


def test_a_tick_off_the_grid_is_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 10"):
        Windower().ticks(T0 + 3)


def test_minutes_seen_grows_from_the_first_event_to_fifteen() -> None:
    windower = Windower()
    seen = []
    for step in range(1, 200):
        now_s = T0 + 10 * step
        windower.add([event(time_s=now_s - 5)], now_s)
        (tick,) = windower.ticks(now_s)
        seen.append(tick.minutes_seen)
    assert seen[:6] == pytest.approx([step / 6 for step in range(1, 7)])
    assert seen[-1] == 15.0


def test_an_idle_entity_disappears_after_fifteen_minutes() -> None:
    windower = Windower()
    windower.add([event(time_s=T0)], T0)
    assert [tick.w15.requests for tick in windower.ticks(T0 + 900)] == [1]
    assert windower.ticks(T0 + 910) == []


def test_closed_minutes_come_once_in_order_and_equal_recomputation() -> None:
    events = traffic(seed=5, count=2_000, seconds=1_200)
    windower = Windower(keep_dirty=False)
    given_minutes = []
    for step in range(1, 130):
        now_s = T0 + 10 * step
        windower.add([one for one in events if now_s - 10 <= one.time_s < now_s], now_s)
        given_minutes += windower.closed_minutes(now_s - 5)
    expected = by_window(events, 60)
    assert [(stats.start_s, entity) for entity, stats in given_minutes] == sorted(
        (start_s, entity) for entity, start_s in expected
    )
    for entity, stats in given_minutes:
        assert_window(stats, expected[entity, stats.start_s])


def test_a_minute_is_closed_only_when_it_is_over() -> None:
    windower = Windower()
    windower.add([event(time_s=T0 + 59)], T0 + 59)
    assert windower.closed_minutes(T0 + 59.9) == []
    assert len(windower.closed_minutes(T0 + 60)) == 1
    assert windower.closed_minutes(T0 + 600) == []


def test_a_restored_windower_goes_on_as_if_it_had_never_stopped() -> None:
    events = traffic(seed=6, count=3_000, seconds=2_000)
    first = [one for one in events if one.time_s < T0 + 1_300]
    whole, before, after = Windower(), Windower(), Windower()
    before.add(first, T0 + 1_300)
    after.restore(before.drain_dirty())
    rest = events[len(first) :]
    after.add(rest, T0 + 2_000)
    whole.add(first, T0 + 1_300)
    whole.drain_dirty()
    whole.add(rest, T0 + 2_000)
    assert after.ticks(T0 + 2_000) == whole.ticks(T0 + 2_000)
    assert sorted(after.drain_dirty(), key=order) == sorted(whole.drain_dirty(), key=order)


def order(stored: object) -> tuple[Entity, int, float]:
    return stored.entity, stored.stats.span_s, stored.stats.start_s  # type: ignore[attr-defined]


def test_an_event_of_the_past_leaves_the_longest_hop_as_it_entered_it() -> None:
    windower = Windower()
    windower.add([event(time_s=T0)], T0)
    windower.ticks(T0 + 890)
    windower.add([event(time_s=T0 + 950)], T0 + 950)
    windower.add_past([event(time_s=T0)], T0 + 950)
    (tick,) = windower.ticks(T0 + 960)
    assert tick.w15.requests == 1
