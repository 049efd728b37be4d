"""When a role process ends: on SIGTERM or SIGINT, or when its supervisor is gone. And how it is nudged meanwhile."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable

STDIN = 0


class _Pipe(asyncio.Protocol):
    """The read end of the pipe whose other end only the supervisor holds. A byte on it means: look at the snapshot."""

    def __init__(self, stop: asyncio.Event, nudged: Callable[[], None]) -> None:
        self._stop = stop
        self._nudged = nudged

    def data_received(self, data: bytes) -> None:
        self._nudged()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop.set()


async def stop_event(supervised: bool, nudged: Callable[[], None] = lambda: None) -> asyncio.Event:
    """An event that is set once this process should end in good order. `nudged` hears of the supervisor's nudges."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if supervised and not os.isatty(STDIN):
        await loop.connect_read_pipe(lambda: _Pipe(stop, nudged), sys.stdin)
    return stop
