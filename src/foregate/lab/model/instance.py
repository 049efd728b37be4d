"""One process of a service: its seats, its heap, its cache, and whether it is alive."""

import asyncio
from collections.abc import Callable
from typing import Any

from foregate.lab.model.cache import Cache
from foregate.lab.model.heap import Heap
from foregate.lab.model.knob import Amount
from foregate.lab.model.pool import Pool

WATCHDOG_S = 150.0  # a process whose heap has thrashed for so long is killed and started anew


class Instance:
    """`workers` bounds concurrency. A crash empties everything; `on_change(instance)` hears of each change."""

    def __init__(
        self, name: str, *, seats: int, wait_s: float, heap: Heap, cache_entries: int, restart_s: float
    ) -> None:
        self.name = name
        self.seats = seats
        self.wait_s = wait_s
        self.heap = heap
        self.restart_s = restart_s
        self.workers = Pool(f"{name} workers", seats, wait_s)
        self.cache: Cache[Any, Any] = Cache(cache_entries)
        self.leak_mb = Amount()
        self.up = True
        self.trusted = True  # False: its certificate has expired, so nobody connects to it
        self.generation = 0  # grows with every death: work of an older one is lost
        self.crashes = 0
        self.on_change: list[Callable[[Instance], None]] = []
        self._thrashed_s = 0.0

    def crash(self, down_s: float | None = None) -> None:
        """Die at once; start again after `down_s` seconds (default: the time a restart takes)."""
        if not self.up:
            return
        self.up = False
        self.generation += 1
        self.crashes += 1
        self.workers = Pool(f"{self.name} workers", self.seats, self.wait_s)
        self.heap.reset()
        self.cache.clear()
        self._thrashed_s = 0.0
        self._tell()
        asyncio.get_running_loop().call_later(self.restart_s if down_s is None else down_s, self.start)

    def start(self) -> None:
        """Listen again."""
        if not self.up:
            self.up = True
            self._tell()

    @property
    def reachable(self) -> bool:
        return self.up and self.trusted

    def distrust(self) -> None:
        """Its certificate expires: new calls are refused, what runs goes on."""
        self.trusted = False
        self._tell()

    def trust(self) -> None:
        """Somebody renewed the certificate."""
        self.trusted = True
        self._tell()

    def _tell(self) -> None:
        for listener in self.on_change:
            listener(self)

    def tick(self, elapsed_s: float) -> None:
        """Let the watchdog look at the heap."""
        self._thrashed_s = self._thrashed_s + elapsed_s if self.heap.thrashing else 0.0
        if self._thrashed_s >= WATCHDOG_S:
            self.crash()
