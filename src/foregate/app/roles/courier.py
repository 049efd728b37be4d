"""The courier process: moves the workers' events from their spools to the bus."""

import asyncio

import structlog

from foregate.adapters.embedded.courier import Courier
from foregate.app.bus import open_bus
from foregate.app.bus_bound import BusBound
from foregate.app.bus_readers import bus_readers
from foregate.app.logs import configure_logs
from foregate.app.roles.lifetime import stop_event
from foregate.app.roles.options import RoleOptions
from foregate.app.runtime import Runtime, read_runtime
from foregate.kernel.clock import SystemClock
from foregate.ports.bus import Bus

STEP_S = 0.2
RETRY_S = 2.0
EXIT_RUNTIME = 3


def run(options: RoleOptions) -> int:
    """Carry until told to stop."""
    log = configure_logs(options.logs, "courier")
    try:
        return asyncio.run(_main(options, read_runtime(options.data), log))
    except OSError as error:
        log.error("stopped_by_error", error=str(error))
        return EXIT_RUNTIME


async def _main(options: RoleOptions, runtime: Runtime, log: structlog.typing.FilteringBoundLogger) -> int:
    stop = await stop_event(options.supervised)
    courier, clock = Courier(options.data.root / "spool", by_service=runtime.bus is not None), SystemClock()
    bound = BusBound(runtime.bus_bytes_max, bus_readers(options.data, runtime), clock, log)
    bus: Bus | None = None
    failure = ""
    stopping = False
    while not stopping:
        stopping = stop.is_set()  # once more after the signal: the workers have stopped before us
        wait_s = STEP_S
        try:
            bus = bus or open_bus(options.data, runtime.bus, clock)
            await asyncio.to_thread(bound.keep, bus)
            await asyncio.to_thread(courier.move, bus)
            failure = ""
        except OSError as error:  # a full disk, a locked file: the events stay where they are
            if str(error) != failure:
                log.error("events_wait_in_spool", reason=str(error), again_in_s=RETRY_S)
            failure, wait_s = str(error), RETRY_S
        if not stopping:
            await _sleep(stop, wait_s)
    courier.close()
    if bus is not None:
        bus.close()
    return 0


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
