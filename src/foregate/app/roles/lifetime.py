"""When a role process ends: on SIGTERM or SIGINT, or when its supervisor is gone."""

import asyncio
import os
import signal
import sys

STDIN = 0


class _Pipe(asyncio.Protocol):
    """The read end of the pipe whose other end only the supervisor holds."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop.set()


async def stop_event(supervised: bool) -> asyncio.Event:
    """An event that is set once this process should end in good order."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if supervised and not os.isatty(STDIN):
        await loop.connect_read_pipe(lambda: _Pipe(stop), sys.stdin)
    return stop
