"""A bounded pool of seats: worker threads, database connections, GPU slots."""

import asyncio
from collections import deque

from foregate.lab.model.call import Saturated


class Pool:
    """`size` seats, first come first served. Who waits longer than `wait_s`, or finds `queue_max` waiting, is refused.

    A leaked seat is one that was taken and is never given back.
    """

    def __init__(self, name: str, size: int, wait_s: float, queue_max: int = 1_000) -> None:
        self.name = name
        self.size = size
        self.wait_s = wait_s
        self.queue_max = queue_max
        self.taken = 0
        self.leaked = 0
        self.refused = 0
        self._waiting: deque[asyncio.Future[bool]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def busy(self) -> float:
        """Share of seats that are taken, leaked ones included."""
        return self.taken / self.size

    def try_take(self) -> bool:
        """Take a seat if one is free and nobody waits: the ordinary case, without an await."""
        if self.taken < self.size and not self._waiting:
            self.taken += 1
            return True
        return False

    async def take(self) -> None:
        """Take a seat, waiting for it. Raises Saturated."""
        if self.try_take():
            return
        if len(self._waiting) >= self.queue_max:
            self.refused += 1
            raise Saturated(f"{self.name}: {self.queue_max} wait already")
        loop = asyncio.get_running_loop()
        seat: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(seat)
        timer = loop.call_later(self.wait_s, self._give_up, seat)
        try:
            got = await seat
        except asyncio.CancelledError:
            if seat.done() and not seat.cancelled() and seat.result():
                self.give_back()
            elif seat in self._waiting:
                self._waiting.remove(seat)
            raise
        finally:
            timer.cancel()
        if not got:
            raise Saturated(f"{self.name}: no seat within {self.wait_s:g} s")

    def _give_up(self, seat: asyncio.Future[bool]) -> None:
        if not seat.done():
            self._waiting.remove(seat)
            self.refused += 1
            seat.set_result(False)

    def give_back(self) -> None:
        """Return a seat; the first who waits gets it."""
        while self._waiting:
            seat = self._waiting.popleft()
            if not seat.done():
                seat.set_result(True)  # the seat stays taken and changes hands
                return
        self.taken -= 1

    def leak(self) -> None:
        """Whoever holds a seat forgets to return it."""
        self.leaked += 1

    def reclaim(self, seats: int) -> None:
        """Take `seats` leaked ones back, as a reaper of idle connections does."""
        for _ in range(min(seats, self.leaked)):
            self.leaked -= 1
            self.give_back()
