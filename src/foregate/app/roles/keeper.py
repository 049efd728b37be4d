"""The keeper process: the bus's items into archive, journeys and logs, and what is old out of them."""

import asyncio
import threading
from collections.abc import Callable

import structlog

from foregate.adapters.embedded.journeys import EmbeddedJourneys
from foregate.adapters.embedded.logs import EmbeddedLogs
from foregate.app.archiving import Archiving
from foregate.app.bus import open_bus
from foregate.app.disk import Disk, DiskWatch, WithRoom
from foregate.app.expiry import Expiry
from foregate.app.forecast_runs import ForecastRuns, forecaster
from foregate.app.journeys import JourneyKeeping, LogKeeping
from foregate.app.keeping import Keeping, keep
from foregate.app.logs import configure_logs
from foregate.app.observe.own import own_keepings
from foregate.app.roles.lifetime import stop_event
from foregate.app.roles.options import RoleOptions
from foregate.app.runtime import Runtime, read_runtime
from foregate.app.stores import ArchiveStore, open_archive_writer
from foregate.app.training.nightly import nightly
from foregate.app.upkeep import ArchiveBounds, Upkeep
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
    stop, clock = await stop_event(options.supervised), SystemClock()
    disk = Disk(options.data.root, clock)
    archive = _Once(lambda: open_archive_writer(runtime, options.data, clock))
    stores = {name: _with_room(make, disk) for name, make in _stores(options, runtime, archive.get, clock, log).items()}
    own = own_keepings(options.data, runtime, clock, log)
    if runtime.learn_daily:
        own["training"] = _with_room(lambda: nightly(options.data, clock, log), disk)
    own["forecasts"] = _with_room(lambda: ForecastRuns(forecaster(options), clock, log), disk)
    keepings = [
        spawn(keep(make, PAUSE_S, stop, log.bind(store=name)), name=f"keep {name}")
        for name, make in (
            stores | _upkeep(runtime, archive.get, disk, clock, log) | _expiries(options, runtime, clock, log) | own
        ).items()
    ]
    log.info("keeping", stores=len(stores))
    await stop.wait()
    await asyncio.gather(*keepings)
    archive.close()
    return 0


def _stores(
    options: RoleOptions,
    runtime: Runtime,
    archive: Callable[[], ArchiveStore],
    clock: Clock,
    log: structlog.typing.FilteringBoundLogger,
) -> dict[str, Callable[[], Keeping]]:
    """What is kept, by name; not while the disk is full."""
    data, flush_s = options.data, runtime.flush_interval_s
    bus = lambda: open_bus(data, runtime.bus, clock)  # noqa: E731
    stores: dict[str, Callable[[], Keeping]] = {
        "archive": lambda: Archiving(
            lambda: open_bus(data, runtime.bus, clock, reader="archive"), archive(), flush_s, clock
        ),
        "logs": lambda: LogKeeping(bus, data, clock),
    }
    if runtime.journeys.enabled:
        stores["journeys"] = lambda: JourneyKeeping(bus, data, runtime.journeys, clock)
    return stores


def _upkeep(
    runtime: Runtime,
    archive: Callable[[], ArchiveStore],
    disk: Disk,
    clock: Clock,
    log: structlog.typing.FilteringBoundLogger,
) -> dict[str, Callable[[], Keeping]]:
    """What is looked after, by name, and goes on while the disk is full."""
    bounds = ArchiveBounds(runtime.retention_days, runtime.retention, runtime.archive_bytes_max)
    return {
        "archive upkeep": lambda: Upkeep(archive(), bounds, disk, clock, log),
        "disk": lambda: DiskWatch(disk, log),
    }


def _expiries(
    options: RoleOptions, runtime: Runtime, clock: Clock, log: structlog.typing.FilteringBoundLogger
) -> dict[str, Callable[[], Keeping]]:
    """What lets go of what is old, by name, and goes on while the disk is full."""
    data, orgs, journeys, logs = options.data, runtime.retention, runtime.journeys, runtime.logs
    return {
        "journeys expiry": lambda: Expiry(
            EmbeddedJourneys(data.journeys), journeys.retention_days, journeys.journeys_bytes_max, orgs, clock, log
        ),
        "logs expiry": lambda: Expiry(
            EmbeddedLogs(data.logs, clock), logs.retention_days, logs.logs_bytes_max, orgs, clock, log
        ),
    }


def _with_room(make: Callable[[], Keeping], disk: Disk) -> Callable[[], Keeping]:
    return lambda: WithRoom(make(), disk)


class _Once:
    """Opened by whoever needs it first, and for all."""

    def __init__(self, open_it: Callable[[], ArchiveStore]) -> None:
        self._open = open_it
        self._lock = threading.Lock()
        self._opened: ArchiveStore | None = None

    def get(self) -> ArchiveStore:
        """Raises OSError."""
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
