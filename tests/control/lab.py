"""The real lab, on loopback ports of its own, with nobody sending it traffic."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from foregate.kernel.clock import SystemClock
from foregate.lab import LabConfig, Scenario, run_lab
from foregate.lab.live.config import LabAddresses


@contextmanager
def real_lab() -> Iterator[str]:
    """The URL of its control endpoint."""
    begun = threading.Event()
    parts: list[tuple[asyncio.AbstractEventLoop, asyncio.Event, LabAddresses]] = []

    async def run() -> None:
        stop = asyncio.Event()

        def ready(addresses: LabAddresses) -> None:
            parts.append((asyncio.get_running_loop(), stop, addresses))
            begun.set()

        await run_lab(LabConfig(scenario=Scenario(seed=1), ports={}), SystemClock(), stop=stop, ready=ready)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert begun.wait(10)
    loop, stop, addresses = parts[0]
    try:
        yield addresses.control_url
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        assert not thread.is_alive(), "the lab did not stop"
