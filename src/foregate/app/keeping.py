"""What the keeper keeps: one loop per store, each with handles of its own, so that none waits for another."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

RETRY_S = 2.0


class Keeping(Protocol):
    """A store and its reader of the bus. `step` returns how many items it read; it may raise OSError, and is called
    again."""

    def step(self) -> int: ...

    def close(self) -> None: ...


async def keep(
    make: Callable[[], Keeping], pause_s: float, stop: asyncio.Event, log: structlog.typing.FilteringBoundLogger
) -> None:
    """Make it, and have it step until `stop`: at once again where there was something, else after `pause_s`."""
    keeping: Keeping | None = None
    failure = ""
    while not stop.is_set():
        wait_s = pause_s
        try:
            if keeping is None:
                keeping = await asyncio.to_thread(make)
            wait_s = 0.0 if await asyncio.to_thread(keeping.step) else pause_s
            failure = ""
        except OSError as error:  # a full disk, a locked file: what was not taken is read again
            if str(error) != failure:
                log.error("keeping_failed", error=str(error), again_in_s=RETRY_S)
            failure, wait_s = str(error), RETRY_S
        except Exception:  # a mistake in one store must not end the others
            log.exception("keeping_failed", again_in_s=RETRY_S)
            wait_s = RETRY_S
        try:
            await asyncio.wait_for(stop.wait(), wait_s)
        except TimeoutError:
            continue
    if keeping is not None:
        await asyncio.to_thread(keeping.close)
