"""The limits: one suite for the memory of one machine and for a real Valkey server."""

import asyncio
import inspect
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ports.limit_models import SlotModel, model
from tests.ports.valkey_server import ValkeyServer, valkey_server

from foregate.adapters.distributed.limits.store import ValkeyLimits
from foregate.adapters.embedded.limits.store import open_limits
from foregate.ports.limits import (
    CalendarWindow,
    Charge,
    Concurrency,
    FixedWindow,
    LeakyBucket,
    Rule,
    SlidingWindow,
    Taken,
    TokenBucket,
)

WORKERS = 3
WALL_S = 1_700_000_000.0
_names = itertools.count()


class World:
    """Three workers that share a store. Numbers in tests are multiples of powers of two: nothing is rounded."""

    def __init__(self, open_store: Callable[[int], Any]) -> None:
        self._runner = asyncio.Runner()
        self.stores = [self._runner.run(_opened(open_store, worker)) for worker in range(WORKERS)]

    def subject(self) -> bytes:
        """One that was never used."""
        return b"policy/key:%d" % next(_names)

    def take(self, worker: int, charges: Sequence[Charge], now_s: float, wall_s: float = WALL_S) -> Taken:
        return self._runner.run(_answer(lambda: self.stores[worker].take(charges, now_s, wall_s)))

    def one(
        self, worker: int, rule: Rule, subject: bytes, now_s: float, wall_s: float = WALL_S, cost: float = 1.0
    ) -> Taken:
        return self._runner.run(_answer(lambda: self.stores[worker].take_one(rule, subject, now_s, wall_s, cost)))

    def release(self, worker: int, charges: Sequence[Charge]) -> None:
        self._runner.run(_released(self.stores[worker], charges))

    def close(self) -> None:
        self._runner.run(_closed(self.stores))
        self._runner.close()


async def _opened(open_store: Callable[[int], Any], worker: int) -> Any:
    return open_store(worker)


async def _answer(ask: Callable[[], Any]) -> Taken:
    taken = ask()
    result = await taken if inspect.isawaitable(taken) else taken
    assert isinstance(result, Taken)
    return result


async def _released(store: Any, charges: Sequence[Charge]) -> None:
    store.release(charges)
    while getattr(store, "_stating", None) is not None:
        await asyncio.sleep(0.001)


async def _closed(stores: Sequence[Any]) -> None:
    for store in stores:
        if isinstance(store, ValkeyLimits):
            await store.aclose()
        else:
            store.close()


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[ValkeyServer]:
    with valkey_server() as running:
        yield running


@pytest.fixture(scope="module", params=["embedded", "valkey"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if request.param == "embedded":
        path: Path = tmp_path_factory.mktemp("limits") / "limits.bin"
        made = World(lambda worker: open_limits(path, WORKERS, worker, wall_s=WALL_S, capacity=1 << 16))
    else:
        url = request.getfixturevalue("server").url
        made = World(lambda _: ValkeyLimits(url, fail_open=False, log=_never, wait_max_s=5.0, caller_clock=True))
    yield made
    made.close()


def _never(what: str, facts: dict[str, object]) -> None:
    raise AssertionError(f"{what}: {facts}")


RULES: dict[str, st.SearchStrategy[Any]] = {
    "token": st.builds(TokenBucket, st.sampled_from([0.5, 2.0, 64.0]), st.sampled_from([1.0, 3.0, 32.0])),
    "leaky": st.builds(
        LeakyBucket, st.sampled_from([0.5, 2.0, 64.0]), st.sampled_from([1.0, 4.0]), st.sampled_from([0.5, 8.0])
    ),
    "sliding": st.builds(SlidingWindow, st.sampled_from([1.0, 4.0, 9.0]), st.sampled_from([1.0, 8.0])),
    "fixed": st.builds(FixedWindow, st.sampled_from([1.0, 4.0, 9.0]), st.sampled_from([1.0, 8.0])),
    "concurrency": st.builds(Concurrency, st.sampled_from([1.0, 4.0])),
    "calendar": st.builds(CalendarWindow, st.sampled_from([1.0, 5.0]), st.sampled_from(["day", "month"])),
}
GAPS_S = st.sampled_from([0.0, 0.0, 0.0, 0.125, 0.25, 0.5, 1.0, 2.5, 64.0])
COSTS = st.sampled_from([1.0, 1.0, 1.0, 2.0, 5.0])
STEPS = st.lists(st.tuples(GAPS_S, st.integers(0, WORKERS - 1), COSTS), min_size=1, max_size=40)
WALL_GAPS_S = st.sampled_from([0.0, 3_600.0, 40_000.0, 86_400.0, 1_000_000.0])
SETTINGS = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("kind", [kind for kind in RULES if kind not in ("concurrency", "calendar")])
@SETTINGS
@given(data=st.data())
def test_workers_together_admit_what_one_textbook_limiter_admits(world: World, kind: str, data: st.DataObject) -> None:
    rule, steps = data.draw(RULES[kind]), data.draw(STEPS)
    textbook, subject, now_s = model(rule), world.subject(), 1024.0
    textbook.take(now_s, WALL_S, 0.0)
    for gap_s, worker, cost in steps:
        now_s += gap_s
        allowed, delay_s, left = textbook.take(now_s, WALL_S, cost)
        taken = world.one(worker, rule, subject, now_s, cost=cost)
        assert (taken.allowed, taken.wait_s) == (allowed, delay_s)
        assert taken.remaining == pytest.approx((max(0.0, left),), abs=1e-6)


@SETTINGS
@given(RULES["calendar"], st.lists(st.tuples(WALL_GAPS_S, st.integers(0, WORKERS - 1), COSTS), max_size=40))
def test_a_quota_is_that_of_the_calendar(
    world: World, rule: CalendarWindow, steps: list[tuple[float, int, float]]
) -> None:
    textbook, subject, wall_s = model(rule), world.subject(), WALL_S
    for gap_s, worker, cost in steps:
        wall_s += gap_s
        allowed, _, left = textbook.take(0.0, wall_s, cost)
        taken = world.one(worker, rule, subject, 5.0, wall_s, cost)
        assert (taken.allowed, taken.remaining) == (allowed, (max(0.0, left),))
        starts_anew = model(rule)
        starts_anew.log = list(textbook.log)  # type: ignore[attr-defined]
        assert starts_anew.take(0.0, wall_s + taken.reset_s[0], 1.0)[0]
        assert starts_anew.take(0.0, wall_s + taken.reset_s[0] - 1.0, 1.0)[0] == (left >= 1.0)


@SETTINGS
@given(RULES["concurrency"], st.lists(st.tuples(st.integers(0, WORKERS - 1), COSTS, st.booleans()), max_size=40))
def test_slots_are_counted_as_one_textbook_limiter_counts_them(
    world: World, rule: Concurrency, steps: list[tuple[int, float, bool]]
) -> None:
    textbook, subject = SlotModel(rule), world.subject()
    held: list[tuple[int, float]] = []
    for worker, cost, gives_back in steps:
        if gives_back and held:
            owner, was = held.pop(0)
            world.release(owner, [Charge(rule, subject, was)])
            textbook.held -= was
            continue
        allowed, _, left = textbook.take(0.0, WALL_S, cost)
        taken = world.one(worker, rule, subject, 0.0, cost=cost)
        assert (taken.allowed, taken.remaining) == (allowed, (max(0.0, left),))
        if allowed:
            held.append((worker, cost))


FIXED_RULES = [
    TokenBucket(2.0, 3.0),
    LeakyBucket(2.0, 3.0, 60.0),
    SlidingWindow(5.0, 2.0),
    FixedWindow(5.0, 2.0),
    CalendarWindow(4.0, "day"),
    Concurrency(3.0),
]


@pytest.mark.parametrize("rule", FIXED_RULES, ids=lambda rule: type(rule).__name__)
def test_refusals_use_nothing_and_say_when_to_come_back(world: World, rule: Rule) -> None:
    subject = world.subject()
    taken = next(taken for taken in (world.one(0, rule, subject, 100.25) for _ in range(9)) if not taken.allowed)
    for worker in (1, 2, 0):
        again = world.one(worker, rule, subject, 100.25)
        assert (again.allowed, again.refused_by, again.retry_after_s) == (False, 0, taken.retry_after_s)
    if isinstance(rule, Concurrency):
        assert taken.retry_after_s > 0.0
        return
    later_s = taken.retry_after_s
    assert not world.one(1, rule, subject, 100.25 + later_s - 0.01, WALL_S + later_s - 1.0).allowed
    assert world.one(1, rule, subject, 100.25 + later_s, WALL_S + later_s).allowed


@pytest.mark.parametrize("scarce", FIXED_RULES, ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize("first", [True, False])
def test_of_several_limits_all_are_used_or_none(world: World, scarce: Rule, first: bool) -> None:
    plenty: list[Rule] = [
        TokenBucket(0.001, 50.0),
        FixedWindow(50.0, 1e6),
        SlidingWindow(50.0, 1e6),
        CalendarWindow(50.0, "month"),
        Concurrency(50.0),
        LeakyBucket(0.001, 50.0, 1e6),
    ]
    rest = [Charge(rule, world.subject()) for rule in plenty]
    tight = Charge(scarce, world.subject())
    charges = [tight, *rest] if first else [*rest, tight]
    verdicts = [world.take(at % WORKERS, charges, 100.25) for at in range(12)]
    admitted = sum(taken.allowed for taken in verdicts)
    assert 3 <= admitted < 12
    assert {taken.refused_by for taken in verdicts if not taken.allowed} == {0 if first else len(rest)}
    left = world.take(1, rest, 100.25).remaining
    assert left == pytest.approx([50.0 - admitted - 1.0] * 5 + [51.0 - admitted - 1.0], abs=1e-3)


def test_a_slot_given_back_is_free_for_every_worker_and_giving_back_twice_makes_no_more(world: World) -> None:
    charge = Charge(Concurrency(2.0), world.subject())
    assert world.take(0, [charge], 0.0).allowed
    assert world.take(1, [charge], 0.0).allowed
    assert not world.take(2, [charge], 0.0).allowed
    world.release(0, [charge])
    world.release(0, [charge])
    assert world.take(2, [charge], 0.0).allowed
    assert not world.take(0, [charge], 0.0).allowed


def test_other_settings_begin_anew_and_equal_ones_go_on(world: World) -> None:
    subject = world.subject()
    for _ in range(2):
        assert world.one(0, FixedWindow(2.0, 64.0), subject, 5.0).allowed
    assert not world.one(1, FixedWindow(2.0, 64.0), subject, 5.0).allowed
    assert world.one(1, FixedWindow(3.0, 64.0), subject, 5.0).allowed
    assert not world.one(0, FixedWindow(2.0, 64.0), subject, 5.0).allowed


def test_a_slot_of_settings_that_a_reload_replaced_is_given_back(world: World) -> None:
    subject, old, new = world.subject(), Concurrency(1.0), Concurrency(5.0)
    assert world.one(0, old, subject, 0.0).allowed
    assert world.one(0, new, subject, 0.0).allowed
    world.release(0, [Charge(old, subject)])
    assert world.one(1, old, subject, 0.0).allowed
    assert world.one(1, new, subject, 0.0).remaining == (3.0,)


def test_a_cost_above_the_limit_needs_all_of_it_and_leaves_a_debt(world: World) -> None:
    rule, subject = TokenBucket(1.0, 4.0), world.subject()
    assert world.one(0, rule, subject, 0.0, cost=10.0).allowed
    assert not world.one(1, rule, subject, 9.0, cost=10.0).allowed
    assert world.one(1, rule, subject, 10.0, cost=10.0).allowed


@pytest.mark.parametrize(
    "impossible",
    [
        lambda: TokenBucket(0.0, 1.0),
        lambda: TokenBucket(1.0, float("nan")),
        lambda: LeakyBucket(1.0, 1.0, -1.0),
        lambda: SlidingWindow(float(1 << 26), 1.0),
        lambda: FixedWindow(1.0, float("inf")),
        lambda: Concurrency(-1.0),
        lambda: CalendarWindow(float(1 << 32), "day"),
    ],
)
def test_impossible_settings_are_refused_by_name(impossible: Callable[[], Rule]) -> None:
    with pytest.raises(ValueError, match=r"\w+\.\w+ = .*: must be above 0"):
        impossible()
