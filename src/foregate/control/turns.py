"""Who may ask the stores something long: a few at a time, some wait a little, the rest is told to come again."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from foregate.kernel.clock import Clock
from foregate.kernel.errors import ForegateError
from foregate.kernel.tasks import spawn

AT_ONCE_MAX = 4
WAITING_MAX = 32  # one more: `overloaded`
WAIT_S_MAX = 5.0  # for a turn; then `overloaded`
TIME_S_MAX = 30.0  # for an answer; then `query_timeout`

_Found = TypeVar("_Found")
Check = Callable[[], None]  # raises when nobody wants the answer any more, or it takes too long


class GaveUp(Exception):
    """The client has left."""


class Turns:
    """Belongs to one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._turns = asyncio.Semaphore(AT_ONCE_MAX)
        self._waiting = 0

    async def run(self, request: Request, work: Callable[[Check], _Found]) -> _Found:
        """What `work` finds, from a thread; it should call its `check` often. Raises ForegateError, GaveUp."""
        if self._waiting >= WAITING_MAX:
            raise ForegateError("overloaded", f"{WAITING_MAX} questions are waiting already.")
        self._waiting += 1
        try:
            await asyncio.wait_for(self._turns.acquire(), WAIT_S_MAX)
        except TimeoutError:
            raise ForegateError("overloaded", f"No turn came for this question within {WAIT_S_MAX:.0f} s.") from None
        finally:
            self._waiting -= 1
        left = threading.Event()
        watcher = spawn(_watch(request, left), name="query client")
        try:
            return await run_in_threadpool(work, self._check(left))
        finally:
            watcher.cancel()
            self._turns.release()

    def _check(self, left: threading.Event) -> Check:
        end_s = self._clock.monotonic() + TIME_S_MAX

        def check() -> None:
            if left.is_set():
                raise GaveUp
            if self._clock.monotonic() > end_s:
                raise ForegateError("query_timeout", f"It took longer than {TIME_S_MAX:.0f} s.")

        return check


async def _watch(request: Request, left: threading.Event) -> None:
    """The body has been read, so all that can come is that the client leaves."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    left.set()
