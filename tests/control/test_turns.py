"""Long questions: a few at a time, the rest is told to come again, and nobody works for a client that has left."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.requests import Request

from foregate.control import turns
from foregate.control.turns import Check, GaveUp, Turns
from foregate.kernel.clock import ManualClock
from foregate.kernel.errors import ForegateError


def asking(leaves: asyncio.Event | None = None) -> Request:
    """Of a client that leaves when told to."""

    async def receive() -> dict[str, Any]:
        await (leaves or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http", "method": "GET", "path": "/", "headers": []}, receive)


def run(body: Callable[[Turns], Awaitable[None]], clock: ManualClock | None = None) -> None:
    async def main() -> None:
        await body(Turns(clock or ManualClock()))

    asyncio.run(asyncio.wait_for(main(), 20))


def test_no_more_than_so_many_are_answered_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "AT_ONCE_MAX", 2)
    lock, now, most = threading.Lock(), [0], [0]
    gate = threading.Barrier(2)  # two at a time, or nobody passes

    def work(_: Check) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        gate.wait(10)
        with lock:
            now[0] -= 1

    async def body(these: Turns) -> None:
        await asyncio.gather(*(these.run(asking(), work) for _ in range(8)))

    run(body)
    assert most[0] == 2


def test_who_would_wait_too_long_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "AT_ONCE_MAX", 1)
    monkeypatch.setattr(turns, "WAITING_MAX", 1)
    monkeypatch.setattr(turns, "WAIT_S_MAX", 0.05)
    release = threading.Event()

    async def body(these: Turns) -> None:
        first = asyncio.ensure_future(these.run(asking(), lambda _: release.wait(10)))
        await asyncio.sleep(0.01)
        waiting = asyncio.ensure_future(these.run(asking(), lambda _: None))
        await asyncio.sleep(0.01)
        with pytest.raises(ForegateError, match="1 questions are waiting already"):
            await these.run(asking(), lambda _: None)
        with pytest.raises(ForegateError, match="No turn came"):
            await waiting
        release.set()
        await first
        await these.run(asking(), lambda _: None)  # its turn is free again

    run(body)


def test_the_work_for_a_client_that_has_left_ends() -> None:
    def work(check: Check) -> None:
        while True:
            check()
            threading.Event().wait(0.001)

    async def body(these: Turns) -> None:
        leaves = asyncio.Event()
        asked = asyncio.ensure_future(these.run(asking(leaves), work))
        await asyncio.sleep(0.02)
        leaves.set()
        with pytest.raises(GaveUp):
            await asked

    run(body)


def test_an_answer_that_takes_too_long_is_broken_off() -> None:
    clock = ManualClock()

    def work(check: Check) -> None:
        check()
        clock.advance(turns.TIME_S_MAX + 1)
        check()

    async def body(these: Turns) -> None:
        with pytest.raises(ForegateError, match="longer than 30 s") as late:
            await these.run(asking(), work)
        assert late.value.spec.code == "query_timeout"

    run(body, clock)
