"""What was reserved and not used, told to the server: in order, one at a time, off the request path."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from foregate.kernel.tasks import spawn

WAITING_MAX = (
    16_384  # settlements; a further one is not made: what was reserved stays taken, which errs on the safe side
)


class Settlement(NamedTuple):
    """Of one `take`: keys and arguments of `settle.lua`, and when it was put here, by the loop's clock."""

    keys: list[str]
    arguments: list[Any]
    put_s: float


class Settling:
    """`tell` sends one settlement and says whether the server has it; what it has not is given up."""

    def __init__(self, tell: Callable[[Settlement], Awaitable[bool]]) -> None:
        self._tell = tell
        self._waiting: deque[Settlement] = deque()
        self.task: asyncio.Task[None] | None = None
        self.given_up = 0

    def put(self, settlement: Settlement) -> None:
        """Have it told soon."""
        if len(self._waiting) >= WAITING_MAX:
            self.given_up += 1
            return
        self._waiting.append(settlement)
        if self.task is None:
            self.task = spawn(self._work(), name="limits-settle")

    async def _work(self) -> None:
        try:
            while self._waiting:
                if not await self._tell(self._waiting.popleft()):
                    self.given_up += 1
        finally:
            self.task = None
