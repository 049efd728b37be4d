"""Watches that run beside the windows in the analyzer, each with handles of its own: neither waits for another, and
no mistake in one ends the others."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from foregate.adapters.embedded.verdicts import EmbeddedVerdicts
from foregate.app.bus import open_bus
from foregate.app.paths import DataDir
from foregate.kernel.clock import Clock
from foregate.ports.bus import Bus
from foregate.wire.bus import Kafka

RETRY_S = 2.0


class Watch(Protocol):
    """What is asked to look again and again. `step` may raise OSError; then it is called again."""

    def step(self) -> None: ...


async def keep_watching(
    make: Callable[[Bus, EmbeddedVerdicts], Watch],
    step_s: float,
    data: DataDir,
    kafka: Kafka | None,
    clock: Clock,
    stop: asyncio.Event,
    log: structlog.typing.FilteringBoundLogger,
) -> None:
    """Make a watch on the bus and the verdicts, and have it look every `step_s` seconds until `stop`."""
    watch: Watch | None = None
    bus: Bus | None = None
    store: EmbeddedVerdicts | None = None
    while not stop.is_set():
        wait_s = step_s
        try:
            bus = bus or open_bus(data, kafka, clock)
            store = store or EmbeddedVerdicts(data.abuse)
            if watch is None:
                watch = await asyncio.to_thread(make, bus, store)
            await asyncio.to_thread(watch.step)
        except OSError as error:
            log.error("watch_failed", error=str(error), again_in_s=RETRY_S)
            wait_s = RETRY_S
        except Exception:  # a mistake here must not end the windows and the alerts
            log.exception("watch_failed", again_in_s=RETRY_S)
            wait_s = RETRY_S
        try:
            await asyncio.wait_for(stop.wait(), wait_s)
        except TimeoutError:
            continue
    for handle in (bus, store):
        if handle is not None:
            handle.close()
