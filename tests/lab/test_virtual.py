"""An event loop in virtual time."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foregate.kernel.tasks import spawn
from foregate.lab.virtual import NothingLeft, VirtualLoop, virtual_loop


@pytest.fixture
def loop():
    loop = virtual_loop()
    yield loop
    loop.close()
    assert loop.errors == []


def test_a_sleep_of_a_year_takes_no_wall_time_and_moves_the_clock(loop: VirtualLoop):
    loop.run_until_complete(asyncio.sleep(365 * 86_400))
    assert loop.time() == 365 * 86_400


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1e6), max_size=40))
def test_timers_fire_in_the_order_of_their_times_and_equal_ones_in_the_order_they_were_set(delays: list[float]):
    loop = virtual_loop()
    fired: list[tuple[float, int]] = []
    for number, delay in enumerate(delays):
        loop.call_later(delay, fired.append, (delay, number))
    loop.run_until(1e6)
    loop.close()
    assert fired == sorted((delay, number) for number, delay in enumerate(delays))


def test_tasks_interleave_as_their_sleeps_say(loop: VirtualLoop):
    seen: list[tuple[str, float]] = []

    async def walker(name: str, step_s: float) -> None:
        for _ in range(3):
            await asyncio.sleep(step_s)
            seen.append((name, loop.time()))

    async def both() -> None:
        await asyncio.gather(walker("slow", 3.0), walker("quick", 2.0))

    loop.run_until_complete(both())
    assert seen == [("quick", 2), ("slow", 3), ("quick", 4), ("slow", 6), ("quick", 6), ("slow", 9)]


def test_time_limits_work_in_virtual_time(loop: VirtualLoop):
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5.0):
                await asyncio.sleep(100.0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(100.0), 7.0)
        return loop.time()

    assert loop.run_until_complete(main()) == 12.0


def test_a_cancelled_timer_never_fires_and_does_not_hold_the_clock(loop: VirtualLoop):
    loop.call_later(1_000.0, pytest.fail, "it fired").cancel()
    loop.run_until_complete(asyncio.sleep(1.0))
    assert loop.time() == 1.0


def test_running_until_a_moment_stops_exactly_there_and_goes_on_later(loop: VirtualLoop):
    fired: list[float] = []
    for moment in (1.0, 2.0, 3.0):
        loop.call_at(moment, fired.append, moment)
    loop.run_until(2.0)
    assert (fired, loop.time()) == ([1.0, 2.0], 2.0)
    loop.run_until(10.0)
    assert (fired, loop.time()) == ([1.0, 2.0, 3.0], 10.0)


def test_waiting_for_what_can_never_happen_is_an_error_and_not_a_hang(loop: VirtualLoop):
    async def forever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(NothingLeft):
        loop.run_until_complete(forever())


def test_an_exception_reaches_who_waits(loop: VirtualLoop):
    async def breaks() -> None:
        await asyncio.sleep(1.0)
        raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        loop.run_until_complete(breaks())


def test_closing_lets_tasks_clean_up():
    loop = virtual_loop()
    cleaned: list[str] = []

    async def holds() -> None:
        try:
            await asyncio.sleep(1e9)
        finally:
            cleaned.append("done")

    loop.call_soon(lambda: spawn(holds(), name="holds"))
    loop.run_until(1.0)
    loop.close()
    assert cleaned == ["done"]
    with pytest.raises(RuntimeError, match="closed"):
        loop.run_until(2.0)


def test_it_refuses_to_run_inside_another_loop():
    async def inside() -> None:
        virtual_loop().run_until(1.0)

    with pytest.raises(RuntimeError, match="another loop"):
        asyncio.run(inside())
