"""Work that would keep the loop from everybody else: a thread beside it, and how what it finds comes back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

Found = TypeVar("Found")


class _Work(NamedTuple):
    do: Callable[[], Any]
    then: Callable[[Callable[[], Any]], None]


class Aside:
    """One thread, one piece of work after the other, of each owner in turn. Whoever gives work holds what it needs in a
    bounded budget.

    The loop and the thread share the interpreter: others are slower meanwhile, but go on.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = ThreadPoolExecutor(1, "read")
        self._waiting: dict[str, deque[_Work]] = {}  # owners in their order, each with some
        self._busy = False

    def run(self, owner: str, do: Callable[[], Found], then: Callable[[Callable[[], Found]], None]) -> None:
        """Have it done; `then` is called in the loop with what gives its result, or raises what it has raised."""
        self._waiting.setdefault(owner, deque()).append(_Work(do, then))
        if not self._busy:
            self._next()

    def _next(self) -> None:
        self._busy = bool(self._waiting)
        if not self._busy:
            return
        owner = next(iter(self._waiting))
        own = self._waiting.pop(owner)
        work = own.popleft()
        if own:
            self._waiting[owner] = own  # behind all others
        future = self._loop.run_in_executor(self._thread, work.do)
        future.add_done_callback(lambda done: self._done(work, done))

    def _done(self, work: _Work, done: asyncio.Future[Any]) -> None:
        try:
            work.then(done.result)
        finally:
            self._next()

    def close(self) -> None:
        """Begin nothing any more."""
        self._waiting.clear()
        self._thread.shutdown(wait=False)
