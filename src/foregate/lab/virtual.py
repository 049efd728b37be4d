"""An event loop in virtual time: when nothing is ready, its clock jumps to the next timer.

Coroutines written for asyncio run on it unchanged, as a deterministic discrete-event simulation: no sockets, threads,
signals or wall time. Timers due at the same instant fire in the order they were set.
"""

import asyncio
import contextvars
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from heapq import heappop, heappush
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class NothingLeft(RuntimeError):
    """A coroutine waits for something that can no longer happen: no callback is ready and no timer is set."""


class _Timer(asyncio.TimerHandle):
    """A handle without debug bookkeeping. Cancelled ones stay in the heap until they are due."""

    __slots__ = ()

    def __init__(
        self,
        when_s: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context | None,
    ) -> None:
        self._when = when_s
        self._callback = callback
        self._args = args
        self._loop = loop
        self._context = context or contextvars.copy_context()
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True
        self._callback = _nothing
        self._args = ()


def _nothing() -> None:
    """What a cancelled handle does."""


class VirtualLoop(asyncio.AbstractEventLoop):
    """Runs callbacks, tasks and timers in virtual seconds, which start at 0."""

    def __init__(self) -> None:
        self._now_s = 0.0
        self._ready: deque[_Timer] = deque()
        self._timers: list[tuple[float, int, _Timer]] = []
        self._sequence = 0
        self._closed = False
        self._running = False
        self.errors: list[dict[str, Any]] = []  # what reached the exception handler

    # --- scheduling ---
    def time(self) -> float:
        return self._now_s

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        handle = _Timer(0.0, callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = _Timer(when, callback, args, self, context)
        self._sequence += 1
        heappush(self._timers, (when, self._sequence, handle))
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now_s + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]  # typeshed describes later Pythons
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: contextvars.Context | None = None
    ) -> asyncio.Task[T]:
        return asyncio.Task(coro, loop=self, name=name, context=context)

    # --- running ---
    def run_until(self, until_s: float) -> None:
        """Let everything happen that is due up to `until_s`, and stand there."""
        with _Running(self):
            self._drain()
            while self._timers and self._timers[0][0] <= until_s:
                self._jump()
                self._drain()
        self._now_s = max(self._now_s, until_s)

    def run_until_complete(self, future: Any) -> Any:
        """As asyncio's. Raises NothingLeft where a real loop would hang for ever."""
        with _Running(self):
            task = self.create_task(future) if asyncio.iscoroutine(future) else future
            while True:
                self._drain()
                if task.done():
                    return task.result()
                if not self._timers:
                    raise NothingLeft(f"{task!r} waits for nothing")
                self._jump()

    def _drain(self) -> None:
        ready = self._ready
        while ready:
            handle = ready.popleft()
            handle._context.run(handle._callback, *handle._args)

    def _jump(self) -> None:
        when_s, _, handle = heappop(self._timers)
        if not handle._cancelled:
            self._now_s = max(self._now_s, when_s)
            handle._context.run(handle._callback, *handle._args)

    # --- what asyncio asks of any loop ---
    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context)

    def close(self) -> None:
        """Cancel every task, let each clean up, and forget all timers."""
        if self._closed:
            return
        for task in asyncio.all_tasks(self):
            task.cancel()
        with _Running(self):
            self._drain()
        self._timers.clear()
        self._closed = True


def virtual_loop() -> VirtualLoop:
    """A new loop at virtual second 0."""
    return VirtualLoop()  # type: ignore[abstract]  # sockets, signals and subprocesses do not exist in there


class _Running:
    """Makes the loop the running one, for `asyncio.get_running_loop()`."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def __enter__(self) -> None:
        if self._loop._closed:
            raise RuntimeError("this loop is closed")
        if events._get_running_loop() is not None:
            raise RuntimeError("another loop is running in this thread")
        self._loop._running = True
        events._set_running_loop(self._loop)

    def __exit__(self, *_: object) -> None:
        events._set_running_loop(None)
        self._loop._running = False
