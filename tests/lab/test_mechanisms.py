"""The mechanisms that services are made of."""

import asyncio
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.kernel.tasks import spawn
from foregate.lab.headless.policies import Breaker, Bucket
from foregate.lab.model.cache import Cache
from foregate.lab.model.call import OutOfMemory, QuotaUsed, Saturated
from foregate.lab.model.heap import Heap
from foregate.lab.model.instance import WATCHDOG_S, Instance
from foregate.lab.model.knob import Amount, Factor
from foregate.lab.model.pool import Pool
from foregate.lab.model.provider import WINDOW_S, Provider
from foregate.lab.virtual import virtual_loop


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 6), st.floats(0.05, 2.0))
def test_a_pool_never_seats_more_than_its_size_and_ends_empty(seed: int, size: int, wait_s: float):
    rng = Random(seed)
    loop = virtual_loop()
    pool = Pool("seats", size, wait_s)
    seated: list[int] = [0, 0]  # now, most

    async def user() -> None:
        await asyncio.sleep(rng.random())
        async with asyncio.timeout(rng.uniform(0.01, 3.0)):
            await pool.take()
            seated[0] += 1
            seated[1] = max(seated)
            try:
                await asyncio.sleep(rng.random())
            finally:
                seated[0] -= 1
                pool.give_back()

    async def main() -> list[BaseException | None]:
        return await asyncio.gather(*(user() for _ in range(40)), return_exceptions=True)

    outcomes = loop.run_until_complete(main())
    loop.close()
    assert seated[1] <= size
    assert (pool.taken, pool.waiting) == (0, 0)
    assert {type(outcome) for outcome in outcomes} <= {type(None), Saturated, TimeoutError}


def test_a_seat_goes_to_who_waits_longest_and_who_waits_too_long_is_refused():
    loop = virtual_loop()
    pool = Pool("seats", 1, wait_s=2.0)
    seen: list[tuple[str, float]] = []

    async def user(name: str) -> None:
        try:
            await pool.take()
        except Saturated:
            seen.append((f"{name} refused", loop.time()))
            return
        seen.append((name, loop.time()))
        await asyncio.sleep(1.5)
        pool.give_back()

    async def main() -> None:
        await asyncio.gather(*(user(name) for name in "abc"))

    loop.run_until_complete(main())
    loop.close()
    assert seen == [("a", 0.0), ("b", 1.5), ("c refused", 2.0)]
    assert pool.refused == 1


def test_a_full_queue_refuses_at_once():
    loop = virtual_loop()
    pool = Pool("seats", 1, wait_s=10.0, queue_max=1)

    async def main() -> float:
        await pool.take()
        spawn(pool.take(), name="waits", on_error=lambda name, error: None)
        await asyncio.sleep(0)
        with pytest.raises(Saturated):
            await pool.take()
        return loop.time()

    assert loop.run_until_complete(main()) == 0.0
    loop.close()


def test_leaked_seats_are_gone_until_they_are_reclaimed():
    pool = Pool("seats", 2, wait_s=1.0)
    assert pool.try_take()
    pool.leak()
    assert pool.try_take()
    assert not pool.try_take()
    pool.reclaim(5)
    assert pool.leaked == 0
    assert pool.try_take()


def test_the_fuller_a_heap_the_more_often_and_the_longer_it_stops_the_world():
    def stopped(live_mb: float) -> tuple[int, float]:
        heap = Heap(512.0, live_mb, 6.0, 0.0005)
        total_s = 0.0
        for second in range(100):
            before = heap.collections
            heap.allocate(float(second), 0.0)
            if heap.collections > before:
                total_s += heap.paused_until_s - second
        return heap.collections, total_s / heap.collections

    shares = [stopped(live_mb) for live_mb in (100.0, 250.0, 400.0, 480.0)]
    assert shares == sorted(shares)
    assert shares[-1][0] > 5 * shares[0][0]


def test_a_leak_ends_in_out_of_memory_and_shrinking_cures_it():
    heap = Heap(200.0, 100.0, 5.0, 0.0005)
    for _ in range(47):
        heap.allocate(0.0, 2.0)
    with pytest.raises(OutOfMemory):
        heap.allocate(0.0, 2.0)
    assert heap.thrashing
    heap.shrink(1.0)
    assert heap.live_mb == pytest.approx(100.0)
    heap.allocate(0.0, 2.0)


def test_a_process_that_thrashes_too_long_is_killed_and_begins_anew():
    loop = virtual_loop()
    heap = Heap(200.0, 100.0, 5.0, 0.0005)
    instance = Instance("x-0", seats=2, wait_s=1.0, heap=heap, cache_entries=4, restart_s=12.0)
    heard: list[tuple[float, bool]] = []
    instance.on_change.append(lambda changed: heard.append((loop.time(), changed.up)))

    async def watch() -> None:
        heap.live_mb = 199.0
        for _ in range(200):
            instance.tick(1.0)
            await asyncio.sleep(1.0)

    loop.run_until_complete(watch())
    loop.close()
    assert heard == [(WATCHDOG_S - 1.0, False), (WATCHDOG_S + 11.0, True)]
    assert (heap.live_mb, instance.crashes, instance.generation) == (100.0, 1, 1)


def test_a_provider_paces_before_it_refuses_and_begins_anew_each_hour():
    provider = Provider("network", quota=100.0, pace_s=1.0)
    began_s = WINDOW_S - 10.0  # of a clock that runs since who knows when
    delays = [provider.charge(began_s, 1.0) for _ in range(75)]
    with pytest.raises(QuotaUsed):
        provider.charge(began_s + 20.0, 1.0)
    assert delays == sorted(delays)
    assert delays[0] == 0.0
    assert delays[-1] == pytest.approx(1.0)
    assert provider.charge(began_s + WINDOW_S, 1.0) == 0.0


def test_raising_a_quota_never_takes_any_away():
    provider = Provider("network", quota=100.0, pace_s=1.0)
    provider.drain(70.0)
    assert provider.left == pytest.approx(0.05)
    provider.raise_quota()
    assert provider.left == pytest.approx(0.75)
    provider.raise_quota()
    assert provider.left == pytest.approx(0.75)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=80), st.integers(1, 5))
def test_a_cache_keeps_the_most_recently_used(steps: list[tuple[bool, int]], size: int):
    cache: Cache[int, int] = Cache(size)
    used: list[int] = []  # least recent first
    for writes, key in steps:
        if writes:
            cache.put(key, key)
        elif cache.get(key) is None:
            assert key not in used
            continue
        used = [other for other in used if other != key] + [key]
        used = used[-size:]
        assert len(cache) == len(used)
    assert all(cache.get(key) == key for key in used)


def test_several_faults_on_one_knob_add_up_and_leave_no_trace():
    factor, amount = Factor(), Amount()
    factor.set("a", 2.0)
    factor.set("b", 3.0)
    amount.set("a", 0.1)
    amount.set("b", 0.2)
    assert (factor.value, amount.value) == (6.0, pytest.approx(0.3))
    for fault in ("a", "b", "b"):
        factor.clear(fault)
        amount.clear(fault)
    assert (factor.value, amount.value) == (1.0, 0.0)


def test_the_simulated_circuit_opens_tries_once_and_closes():
    breaker = Breaker(failures=2, open_s=10.0)
    assert breaker.enter() == "closed"
    breaker.record(False, 0.0)
    breaker.record(False, 0.0)
    assert not breaker.admits(9.9)
    breaker.record(True, 9.9)  # sent before it opened: proves nothing
    assert breaker.admits(10.0)
    assert breaker.enter() == "half_open"
    assert not breaker.admits(10.0)
    breaker.left()
    assert breaker.admits(10.0)
    breaker.enter()
    breaker.record(False, 10.0)
    assert not breaker.admits(19.0)
    assert breaker.admits(20.0)
    breaker.enter()
    breaker.record(True, 20.0)
    assert breaker.enter() == "closed"


@given(st.lists(st.floats(0.0, 3.0), max_size=60))
def test_the_simulated_bucket_never_admits_more_than_burst_and_rate_allow(gaps: list[float]):
    bucket = Bucket(2.0, 5.0)
    now_s, admitted = 0.0, 0
    for gap in gaps:
        now_s += gap
        admitted += bucket.admit(now_s)
        assert admitted <= 5.0 + 2.0 * now_s + 1e-6
