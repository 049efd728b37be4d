"""What was reserved is settled to what was used: one suite for the memory of one machine and for a real Valkey."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ports.test_limits import SETTINGS, WALL_S, WORKERS, World, server, world  # noqa: F401 - fixtures

from foregate.ports.limits import (
    CalendarWindow,
    Charge,
    Concurrency,
    FixedWindow,
    LeakyBucket,
    Moment,
    Rule,
    SlidingWindow,
    TokenBucket,
)

DAY_S = 86_400.0
COUNTED: list[Rule] = [
    TokenBucket(8.0, 1_024.0),
    SlidingWindow(1_024.0, 8.0),
    FixedWindow(1_024.0, 8.0),
    CalendarWindow(1_024.0, "day"),
    CalendarWindow(1_024.0, "month"),
]
TOKENS = st.sampled_from([0.0, 1.0, 2.0, 64.0, 200.0, 512.0, 1_024.0, 1_500.0])


def _settle(
    world: World,  # noqa: F811
    worker: int,
    charges: Sequence[Charge],
    used: Sequence[float],
    taken: Moment,
    now: Moment,
) -> None:
    async def settle(store: Any) -> None:
        store.settle(charges, used, taken, now)
        while getattr(store, "_settling", None) is not None and store._settling.task is not None:
            await asyncio.sleep(0.001)

    world._runner.run(settle(world.stores[worker]))


def _left(world: World, rule: Rule, subject: bytes, now: Moment) -> float:  # noqa: F811
    return world.one(1, rule, subject, *now, cost=0.0).remaining[0]


@pytest.mark.parametrize("rule", COUNTED, ids=str)
@SETTINGS
@given(data=st.data())
def test_what_is_left_is_the_limit_without_what_was_used_and_is_reserved(
    world: World,  # noqa: F811
    rule: Rule,
    data: st.DataObject,
) -> None:
    now, subject = Moment(1_024.0, WALL_S), world.subject()
    used, reserved, open_ = 0.0, 0.0, []
    for _ in range(data.draw(st.integers(1, 12))):
        if open_ and data.draw(st.booleans()):
            worker, cost = open_.pop(0)
            spent = data.draw(TOKENS)
            _settle(world, worker, [Charge(rule, subject, cost)], [spent], now, now)
            used, reserved = used + spent, reserved - cost
        else:
            worker, cost = data.draw(st.integers(0, WORKERS - 1)), data.draw(TOKENS.filter(bool))
            taken = world.one(worker, rule, subject, *now, cost)
            assert taken.allowed == (used + reserved + min(cost, 1_024.0) <= 1_024.0)
            if taken.allowed:
                open_.append((worker, cost))
                reserved += cost
        assert _left(world, rule, subject, now) == max(0.0, 1_024.0 - used - reserved)


@pytest.mark.parametrize("rule", COUNTED, ids=str)
def test_nothing_comes_back_to_a_window_that_it_was_not_taken_from(world: World, rule: Rule) -> None:  # noqa: F811
    subject, taken = world.subject(), Moment(1_024.0, WALL_S)
    assert world.one(0, rule, subject, *taken, 1_000.0).allowed
    far_s = 400.0 * DAY_S if isinstance(rule, CalendarWindow) else 1_024.0
    later = Moment(taken.now_s + far_s, taken.wall_s + far_s)
    assert world.one(0, rule, subject, *later, 24.0).allowed
    _settle(world, 0, [Charge(rule, subject, 1_000.0)], [10.0], taken, later)
    left = _left(world, rule, subject, later)
    assert left == (1_024.0 if isinstance(rule, TokenBucket) else 1_000.0)  # a bucket is never fuller than full


@pytest.mark.parametrize("rule", COUNTED, ids=str)
def test_what_was_used_beyond_the_reserve_counts_now(world: World, rule: Rule) -> None:  # noqa: F811
    subject, taken = world.subject(), Moment(1_024.0, WALL_S)
    assert world.one(0, rule, subject, *taken, 10.0).allowed
    far_s = 400.0 * DAY_S if isinstance(rule, CalendarWindow) else 1_024.0
    later = Moment(taken.now_s + far_s, taken.wall_s + far_s)
    _settle(world, 0, [Charge(rule, subject, 10.0)], [1_034.0], taken, later)
    assert _left(world, rule, subject, later) == 0.0
    assert not world.one(1, rule, subject, *later).allowed


def test_a_sliding_window_remembers_only_what_was_used_in_the_window_before(world: World) -> None:  # noqa: F811
    rule, subject, taken = SlidingWindow(1_024.0, 8.0), world.subject(), Moment(1_024.0, WALL_S)
    assert world.one(0, rule, subject, *taken, 1_000.0).allowed
    later = Moment(taken.now_s + 8.0, taken.wall_s + 8.0)
    _settle(world, 0, [Charge(rule, subject, 1_000.0)], [0.0], taken, later)
    assert _left(world, rule, subject, later) == 1_024.0


@pytest.mark.parametrize("rule", [LeakyBucket(1.0, 8.0, 8.0), Concurrency(8.0)], ids=str)
def test_queues_and_slots_stay_as_they_are(world: World, rule: Rule) -> None:  # noqa: F811
    subject, now = world.subject(), Moment(1_024.0, WALL_S)
    assert world.one(0, rule, subject, *now, 4.0).allowed
    before = _left(world, rule, subject, now)
    _settle(world, 0, [Charge(rule, subject, 4.0)], [0.0], now, now)
    assert _left(world, rule, subject, now) == before


def test_several_limits_are_settled_at_once_each_to_its_own(world: World) -> None:  # noqa: F811
    now = Moment(1_024.0, WALL_S)
    charges = [Charge(rule, world.subject(), 100.0) for rule in COUNTED]
    assert world.take(0, charges, *now).allowed
    _settle(world, 0, charges, [10.0, 20.0, 30.0, 40.0, 150.0], now, now)
    left = [_left(world, charge.rule, charge.subject, now) for charge in charges]
    assert left == [1_014.0, 1_004.0, 994.0, 984.0, 874.0]
