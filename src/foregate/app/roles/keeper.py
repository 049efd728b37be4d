"""The keeper process: the bus's items into archive, journeys and logs, and what is old out of them."""

import asyncio
from collections.abc import Callable

import structlog

from foregate.app.keeping import Keeping, keep
from foregate.app.logs import configure_logs
from foregate.app.roles.lifetime import stop_event
from foregate.app.roles.options import RoleOptions
from foregate.app.runtime import Runtime, read_runtime
from foregate.kernel.clock import Clock, SystemClock
from foregate.kernel.tasks import spawn

PAUSE_S = 0.5
EXIT_RUNTIME = 3


def run(options: RoleOptions) -> int:
    """Keep until told to stop."""
    log = configure_logs(options.logs, "keeper")
    try:
        return asyncio.run(_main(options, read_runtime(options.data), log))
    except OSError as error:
        log.error("stopped_by_error", error=str(error))
        return EXIT_RUNTIME


async def _main(options: RoleOptions, runtime: Runtime, log: structlog.typing.FilteringBoundLogger) -> int:
    stop = await stop_event(options.supervised)
    keepings = [
        spawn(keep(make, PAUSE_S, stop, log.bind(store=name)), name=f"keep {name}")
        for name, make in _stores(options, runtime, SystemClock(), log).items()
    ]
    log.info("keeping", stores=len(keepings))
    await stop.wait()
    await asyncio.gather(*keepings)
    return 0


def _stores(
    options: RoleOptions, runtime: Runtime, clock: Clock, log: structlog.typing.FilteringBoundLogger
) -> dict[str, Callable[[], Keeping]]:
    """What is kept, by name."""
    return {}
