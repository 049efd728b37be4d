"""Time limits for thousands of connections with one timer: each holds its own deadline, a sweep finds the late ones.

Setting a limit is one attribute assignment; a timer handle per request would cost more than parsing it.
"""

import asyncio
import math
from typing import Protocol

from foregate.kernel.clock import Clock

NEVER = math.inf


class Expiring(Protocol):
    """`deadline_s` is in monotonic seconds, `NEVER` when nothing is awaited."""

    deadline_s: float

    def expire(self) -> None:
        """The deadline has passed. It stays watched, so it must move or end its deadline."""
        ...


class Deadlines:
    """The set of those that are watched. A limit is noticed at most `tick_s` late."""

    __slots__ = ("_clock", "_handle", "_tick_s", "_watched")

    def __init__(self, clock: Clock, *, tick_s: float) -> None:
        self._clock = clock
        self._tick_s = tick_s
        self._watched: set[Expiring] = set()
        self._handle: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._watched)

    def watch(self, item: Expiring) -> None:
        self._watched.add(item)
        if self._handle is None:
            self._handle = asyncio.get_running_loop().call_later(self._tick_s, self._tick)

    def forget(self, item: Expiring) -> None:
        self._watched.discard(item)

    def sweep(self) -> None:
        """Expire all that are late now."""
        now_s = self._clock.monotonic()
        for item in [item for item in self._watched if item.deadline_s <= now_s]:
            if item.deadline_s <= now_s:  # an earlier one's expiry may have moved it
                item.expire()

    def _tick(self) -> None:
        self._handle = None
        if self._watched:  # with nobody to watch the timer stops, so an idle loop may end
            self._handle = asyncio.get_running_loop().call_later(self._tick_s, self._tick)
        self.sweep()

    def stop(self) -> None:
        """Stop the timer; nothing expires any more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._watched.clear()
