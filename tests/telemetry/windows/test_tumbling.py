"""Tumbling windows: right numbers, whatever the order and the batches."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.telemetry.making import T0, assert_window, by_window, event, traffic

from foregate.kernel.limits import LATE_EVENT_S
from foregate.telemetry.windows import Windower
from foregate.wire.entity import Entity
from foregate.wire.event import RequestEvent
from foregate.wire.window import SPANS_S, StoredWindow

Key = tuple[int, Entity, float]


def last_state(windower: Windower, batches: list[list[RequestEvent]], *, drain_each: bool) -> dict[Key, StoredWindow]:
    """What a store would hold after upserting everything that was drained."""
    found: dict[Key, StoredWindow] = {}
    for batch in batches:
        windower.add(batch, T0 + 5_000)
        if drain_each:
            found |= keyed(windower.drain_dirty())
    return found | keyed(windower.drain_dirty())


def keyed(stored: list[StoredWindow]) -> dict[Key, StoredWindow]:
    return {(window.stats.span_s, window.entity, window.stats.start_s): window for window in stored}


def cut(events: list[RequestEvent], sizes: list[int]) -> list[list[RequestEvent]]:
    batches, at = [], 0
    for size in sizes:
        batches.append(events[at : at + size])
        at += size
    return [*batches, events[at:]]


def test_every_span_counts_what_a_plain_recomputation_counts() -> None:
    events = traffic(seed=1, count=4_000)
    found = last_state(Windower(), [events], drain_each=False)
    expected = {(span, *key): group for span in SPANS_S for key, group in by_window(events, span).items()}
    assert found.keys() == expected.keys()
    for key, group in expected.items():
        assert_window(found[key].stats, group)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1_000),
    order=st.randoms(use_true_random=False),
    sizes=st.lists(st.integers(0, 120), max_size=8),
    drain_each=st.booleans(),
)
def test_windows_do_not_depend_on_order_or_batches(
    seed: int, order: random.Random, sizes: list[int], drain_each: bool
) -> None:
    events = traffic(seed, 300, seconds=LATE_EVENT_S - 1)
    expected = last_state(Windower(), [events], drain_each=False)
    shuffled = list(events)
    order.shuffle(shuffled)
    assert last_state(Windower(), cut(shuffled, sizes), drain_each=drain_each) == expected


def test_a_window_that_fell_asleep_wakes_up_for_a_late_event() -> None:
    windower = Windower()
    windower.add([event(time_s=T0)], T0)
    windower.drain_dirty()
    for minute in range(1, 15):
        windower.add([event(time_s=T0 + 60 * minute, route="/other")], T0 + 60 * minute)
        windower.drain_dirty()
    windower.add([event(time_s=T0 + 1)], T0 + 840)
    changed = keyed(windower.drain_dirty())
    assert changed[60, event().entity, T0].stats.requests == 2


def test_an_event_is_late_only_beyond_the_bound_behind_the_newest() -> None:
    windower = Windower()
    windower.add([event(time_s=T0 + LATE_EVENT_S), event(time_s=T0), event(time_s=T0 - 0.001)], T0 + LATE_EVENT_S)
    assert windower.counts == {"accepted": 2, "late": 1, "invalid": 0, "overflow": 0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"time_s": T0 + 301},
        {"time_s": math.nan},
        {"time_s": math.inf},
        {"time_s": -1.0},
        {"latency_ms": math.nan},
        {"latency_ms": -0.5},
        {"latency_ms": math.inf},
        {"response_bytes": -1},
        {"response_bytes": 1 << 63},
        {"request_bytes": 1 << 60},
        {"inflight": 1 << 40},
        {"attempts": -3},
    ],
)
def test_impossible_numbers_are_invalid_and_touch_no_window(wrong: dict[str, object]) -> None:
    windower = Windower()
    windower.add([event(**wrong)], T0)
    assert windower.counts["invalid"] == 1
    assert windower.drain_dirty() == []
    assert windower.ticks(T0 + 10) == []


@pytest.mark.parametrize("upstream_ms", [math.nan, -5.0, math.inf])
def test_an_impossible_upstream_time_is_left_out_of_the_sketch(upstream_ms: float) -> None:
    windower = Windower()
    windower.add([event(upstream_ms=upstream_ms)], T0)
    assert all(window.stats.upstream_mean_ms == 0.0 for window in windower.drain_dirty())


def test_a_clock_ahead_by_minutes_does_not_make_the_others_late() -> None:
    windower = Windower()
    windower.add([event(time_s=T0 + 300)], T0)
    windower.add([event(time_s=T0 - LATE_EVENT_S + 1)], T0)
    assert windower.counts["late"] == 0
    assert windower.watermark_s == T0


def test_entities_beyond_the_bound_count_to_route_other() -> None:
    windower = Windower(entities_max=3)
    windower.add([event(route=f"/r/{n}") for n in range(10)], T0)
    routes = {
        window.entity.route: window.stats.requests for window in windower.drain_dirty() if window.stats.span_s == 60
    }
    assert routes == {"/r/0": 1, "/r/1": 1, "/r/2": 1, "other": 7}
    assert windower.counts["accepted"] == 10
    assert windower.counts["overflow"] == 7


def test_quick_refusals_do_not_hide_that_the_service_is_slow() -> None:
    windower = Windower()
    refused = event(status=429, limit="refused", error="rate_limited", attempts=0, latency_ms=0.05, upstream_ms=0.0)
    windower.add([event(latency_ms=1_000.0)] + [refused] * 99, T0)
    stats = keyed(windower.drain_dirty())[60, event().entity, T0].stats
    assert stats.requests == 100
    assert abs(stats.p50_ms - 1_000.0) <= 10.0


def test_an_answer_from_the_cache_counts_to_latency() -> None:
    windower = Windower()
    windower.add([event(cache="hit", attempts=0, latency_ms=2.0, upstream_ms=0.0)], T0)
    stats = keyed(windower.drain_dirty())[60, event().entity, T0].stats
    assert abs(stats.p50_ms - 2.0) <= 0.02
    assert stats.upstream_mean_ms == 0.0


def test_windows_are_let_go_when_no_event_can_reach_them() -> None:
    windower = Windower()
    for minute in range(0, 24 * 60, 5):
        now_s = T0 + 60 * minute
        windower.add([event(time_s=now_s, route=f"/r/{minute}")], now_s)
        windower.drain_dirty()
        windower.closed_minutes(now_s)
    assert len(windower._shelf.entities) < 12  # an hour's worth at most
    assert sum(len(of.windows) for of in windower._shelf.entities.values()) < 48
