"""Where a gateway worker's events go, even when the disk has no room: traffic goes on, and what is shed is counted."""

import asyncio
from collections.abc import Callable

import structlog

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.spool import Spool
from foregate.app.paths import DataDir
from foregate.kernel.clock import Clock
from foregate.kernel.tasks import spawn
from foregate.ports.sink import EventSink
from foregate.wire.event import RequestEvent

RETRY_S = 2.0


class WorkerEvents:
    """Opens the worker's spool now, or as soon as that is possible."""

    def __init__(self, data: DataDir, worker: int, clock: Clock, log: structlog.typing.FilteringBoundLogger) -> None:
        self._data = data
        self._worker = worker
        self._clock = clock
        self._log = log
        self._spool: Spool | None = None
        self._waiting: asyncio.Task[None] | None = None

    def open(self) -> EventSink:
        """The spool itself, so that the request path has nothing in between; a shedding stand-in when it must wait."""
        try:
            return self._open_spool()
        except OSError as error:
            self._log.error("events_are_shed", error=str(error), again_in_s=RETRY_S)
            self._waiting = spawn(self._keep_trying(), name="open spool")
            return _Patient(lambda: self._spool)

    def _open_spool(self) -> Spool:
        spool = Spool(self._data.spool(self._worker))
        spool.start(
            lambda: EmbeddedBus(self._data.bus, self._clock),
            report=lambda reason: self._log.error("events_wait_in_spool", reason=reason),
        )
        self._spool = spool
        return spool

    async def _keep_trying(self) -> None:
        while self._spool is None:
            await asyncio.sleep(RETRY_S)
            try:
                await asyncio.to_thread(self._open_spool)
            except OSError:  # said once when it began; the count of shed events is in /metrics
                continue
        self._log.warning("events_are_kept_again")

    def close(self) -> None:
        """Flush what is there and let go."""
        if self._waiting is not None:
            self._waiting.cancel()
        if self._spool is not None:
            self._spool.close()


class _Patient:
    """An event sink that sheds until there is a spool."""

    def __init__(self, spool: Callable[[], Spool | None]) -> None:
        self._spool = spool

    def put(self, event: RequestEvent) -> bool:
        spool = self._spool()
        return spool is not None and spool.put(event)
