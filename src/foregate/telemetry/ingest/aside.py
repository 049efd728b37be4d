"""Work that would keep the loop from everybody else: a thread beside it, and how what it finds comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Found = TypeVar("Found")


class Aside:
    """One thread, one piece of work after the other. Whoever gives it work holds what that needs in a bounded budget.

    The loop and the thread share the interpreter: others are slower meanwhile, but go on.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread = ThreadPoolExecutor(1, "read")

    def run(self, work: Callable[[], Found], then: Callable[[Callable[[], Found]], None]) -> None:
        """Have it done; `then` is called in the loop with what gives its result, or raises what it has raised."""
        future = self._loop.run_in_executor(self._thread, work)
        future.add_done_callback(lambda done: then(done.result))

    def close(self) -> None:
        """Begin nothing any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)
