"""The shared limits when their server is slow, gone, back, or has forgotten everything."""

import asyncio
import inspect
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from tests.ports.valkey_server import ValkeyServer, valkey_server

from foregate.adapters.distributed.limits import ValkeyLimits
from foregate.adapters.distributed.limits import store as module
from foregate.ports.limits import CalendarWindow, Charge, Concurrency, FixedWindow, Moment, Taken, TokenBucket

RULE = FixedWindow(1000.0, 1e6)
SLOTS = Charge(Concurrency(2.0), b"slots")


@pytest.fixture
def server() -> Iterator[ValkeyServer]:
    with valkey_server() as running:
        yield running


async def one(store: ValkeyLimits, rule: Any = RULE, subject: bytes = b"x") -> Taken:
    taken = store.take_one(rule, subject, 0.0, 0.0)
    result = await taken if inspect.isawaitable(taken) else taken
    assert isinstance(result, Taken)
    return result


async def until(what: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await what():
            await asyncio.sleep(0.01)


class Logged(list[str]):
    def __call__(self, what: str, facts: dict[str, object]) -> None:
        self.append(what)


@pytest.mark.parametrize("fail_open", [True, False])
def test_a_dead_server_costs_a_few_bounded_waits_and_then_nothing(server: ValkeyServer, fail_open: bool) -> None:
    async def main() -> None:
        log = Logged()
        store = ValkeyLimits(server.url, fail_open=fail_open, log=log, wait_max_s=0.1)
        assert (await one(store)).remaining == (999.0,)
        os.kill(server.pid, signal.SIGSTOP)  # accepts and never answers: the worst of deaths
        began = time.monotonic()
        answers = [await one(store) for _ in range(module.FAILURES_MAX)]
        assert time.monotonic() - began < 0.1 * module.FAILURES_MAX + 1.0
        began = time.process_time()
        at_once = [store.take_one(RULE, b"x", 0.0, 0.0) for _ in range(1000)]
        assert time.process_time() - began < 0.5
        assert {taken.allowed for taken in answers + at_once} == {fail_open}
        assert all((taken.retry_after_s > 0.0) != fail_open for taken in answers + at_once)
        assert at_once[0].remaining == ((1000.0,) if fail_open else (0.0,))
        assert store.stats().unreachable == 1000 + module.FAILURES_MAX
        assert log == ["limit_store_unreachable"]
        os.kill(server.pid, signal.SIGCONT)

        async def counted_again() -> bool:
            return (await one(store)).remaining not in ((1000.0,), (0.0,))

        await until(counted_again)
        assert log == ["limit_store_unreachable", "limit_store_reachable_again"]
        await store.aclose()

    asyncio.run(main())


def test_it_connects_again_to_a_server_that_was_killed_and_says_what_is_held(server: ValkeyServer) -> None:
    async def main() -> None:
        store, other = (ValkeyLimits(server.url, fail_open=True, log=Logged(), wait_max_s=0.5) for _ in range(2))
        held = [await one(store, SLOTS.rule, SLOTS.subject)]
        server.kill()
        held += [await one(store, SLOTS.rule, SLOTS.subject)]  # let in without the server, and held all the same
        assert [taken.allowed for taken in held] == [True, True]
        for client in (store, other):
            for _ in range(module.FAILURES_MAX):
                await one(client)
        await asyncio.to_thread(server.start)

        async def refused() -> bool:
            taken = await one(other, SLOTS.rule, SLOTS.subject)
            if taken.allowed:
                other.release([SLOTS])
            return not taken.allowed

        await until(refused)
        store.release([SLOTS])

        async def allowed() -> bool:
            return (await one(other, SLOTS.rule, SLOTS.subject)).allowed

        await until(allowed)
        await store.aclose()
        await other.aclose()

    asyncio.run(main())


def test_slots_of_a_worker_that_died_are_free_after_its_last_sign_of_life(
    server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ALIVE_S", 0.6)

    async def main() -> None:
        dying, living, other = (ValkeyLimits(server.url, fail_open=False, log=Logged(), wait_max_s=5.0) for _ in "123")
        assert (await one(dying, SLOTS.rule, SLOTS.subject)).allowed
        assert (await one(living, SLOTS.rule, SLOTS.subject)).allowed
        assert not (await one(other, SLOTS.rule, SLOTS.subject)).allowed
        await dying.aclose()  # without giving anything back, as kill -9 would

        async def allowed() -> bool:
            return (await one(other, SLOTS.rule, SLOTS.subject)).allowed

        await until(allowed)
        await asyncio.sleep(1.5)  # more than a life: the living one has gone on giving signs
        assert not (await one(other, SLOTS.rule, SLOTS.subject)).allowed
        await living.aclose()
        await other.aclose()

    asyncio.run(main())


def test_a_client_that_leaves_while_asking_leaves_no_slot_behind_nor_somebody_elses_answer(
    server: ValkeyServer,
) -> None:
    async def main() -> None:
        store = ValkeyLimits(server.url, fail_open=False, log=Logged(), wait_max_s=5.0)
        await one(store)
        for _ in range(20):
            asking = [
                asyncio.ensure_future(one(store, SLOTS.rule, SLOTS.subject)),  # noqa: RUF100
                asyncio.ensure_future(one(store, TokenBucket(1.0, 7.0), b"cut")),
            ]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            for task in asking:
                task.cancel()
            results = await asyncio.gather(*asking, return_exceptions=True)
            if isinstance(results[0], Taken) and results[0].allowed:
                store.release([SLOTS])
            assert (await one(store, CalendarWindow(1e9, "day"), b"other")).remaining[0] > 1e8
        charges = [SLOTS]

        async def both_free() -> bool:
            first = await store.take(charges, 0.0, 0.0)
            second = await store.take(charges, 0.0, 0.0)
            store.release([SLOTS] * (first.allowed + second.allowed))
            return bool(first.allowed and second.allowed)

        await until(both_free)
        await store.aclose()

    asyncio.run(main())


def test_takes_at_once_on_many_connections_hold_what_they_hold(server: ValkeyServer) -> None:
    async def main() -> None:
        store, other = (ValkeyLimits(server.url, fail_open=False, log=Logged(), wait_max_s=10.0) for _ in range(2))
        many = Charge(Concurrency(50.0), b"many")
        for _ in range(5):
            taken = await asyncio.gather(*[one(client, many.rule, b"many") for client in (store, other) * 60])
            admitted = [client for client, was in zip((store, other) * 60, taken, strict=True) if was.allowed]
            assert len(admitted) == 50
            for client in admitted:
                client.release([many])
            assert len(store._turns) == len(other._turns) == 0
            while store._stating or other._stating:
                await asyncio.sleep(0.005)
        await store.aclose()
        await other.aclose()

    asyncio.run(main())


def test_what_is_settled_late_gives_nothing_back_to_a_later_window(server: ValkeyServer) -> None:
    """The server hangs over the end of a window, while what was reserved in it waits for its turn to be told."""

    async def main() -> None:
        store = ValkeyLimits(server.url, fail_open=False, log=Logged(), wait_max_s=5.0)
        rule, at = FixedWindow(10.0, 2.0), Moment(0.0, 0.0)
        first, mine = (Charge(rule, subject, 10.0) for subject in (b"first", b"mine"))
        await asyncio.sleep((1.4 - time.time()) % 2.0)
        assert all(taken.allowed for taken in await asyncio.gather(store.take([first], 0, 0), store.take([mine], 0, 0)))
        os.kill(server.pid, signal.SIGSTOP)
        for charge in (first, mine):
            store.settle([charge], [0.0], at, at)
        later = asyncio.get_running_loop().create_task(store.take([mine], 0, 0))
        await asyncio.sleep((0.2 - time.time()) % 2.0)
        os.kill(server.pid, signal.SIGCONT)
        assert (await later).allowed
        while store._settling.task is not None:
            await asyncio.sleep(0.01)
        assert store._settling.given_up == 0
        assert not (await store.take([mine], 0, 0)).allowed
        await store.aclose()

    asyncio.run(main())


def test_the_servers_clock_counts(server: ValkeyServer) -> None:
    async def main() -> None:
        store = ValkeyLimits(server.url, fail_open=False, log=Logged(), wait_max_s=5.0)
        rule = TokenBucket(20.0, 1.0)
        admitted, began, taken = 0, time.monotonic(), None
        while time.monotonic() - began < 1.0:
            taken = await one(store, rule, b"clock")
            admitted += taken.allowed
            await asyncio.sleep(0.002)
        spent_s = time.monotonic() - began
        assert 12 <= admitted <= 20.0 * spent_s + 2.0
        month = (await one(store, CalendarWindow(5.0, "month"), b"month")).reset_s[0]
        now = time.time()
        then = time.gmtime(now + month + 1.0)
        assert (then.tm_mday, then.tm_hour, then.tm_min) == (1, 0, 0)
        await store.aclose()

    asyncio.run(main())
