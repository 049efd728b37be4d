"""Where a gateway worker's events go, even when the disk has no room: traffic goes on, and what is shed is counted."""

import asyncio
from collections.abc import Callable

import structlog

from foregate.adapters.embedded.spool import Spool
from foregate.app.paths import DataDir
from foregate.kernel.tasks import spawn
from foregate.ports.sink import EventSink
from foregate.wire.event import RequestEvent

RETRY_S = 2.0
TEND_S = 0.2


class WorkerEvents:
    """Opens the worker's spool now, or as soon as that is possible, and keeps its next file ready."""

    def __init__(self, data: DataDir, worker: int, log: structlog.typing.FilteringBoundLogger) -> None:
        self._data = data
        self._worker = worker
        self._log = log
        self._spool: Spool | None = None
        self._tending: asyncio.Task[None] | None = None

    def open(self) -> EventSink:
        """The spool itself, so that the request path has nothing in between; a shedding stand-in when it must wait."""
        self._tending = spawn(self._tend(), name="tend spool")
        try:
            self._spool = Spool(self._data.spool(self._worker))
        except OSError as error:
            self._log.error("events_are_shed", error=str(error), again_in_s=RETRY_S)
            return _Patient(lambda: self._spool)
        return self._spool

    async def _tend(self) -> None:
        """Open what could not be opened at first; then make each next file before the present one is full."""
        failure = ""
        while True:
            await asyncio.sleep(TEND_S if self._spool is not None else RETRY_S)
            if self._spool is None:
                failure = await self._try_again()
                continue
            try:
                self._spool.prepare()
                failure = ""
            except OSError as error:
                if not failure:
                    self._log.error("no_next_spool_file", error=str(error))
                failure = str(error)

    async def _try_again(self) -> str:
        try:
            self._spool = await asyncio.to_thread(Spool, self._data.spool(self._worker))
        except OSError as error:  # said once when it began; the count of shed events is in /metrics
            return str(error)
        self._log.warning("events_are_kept_again")
        return ""

    def close(self) -> None:
        """Let go; the courier moves what is there."""
        if self._tending is not None:
            self._tending.cancel()
        if self._spool is not None:
            self._spool.close()


class _Patient:
    """An event sink that sheds until there is a spool."""

    def __init__(self, spool: Callable[[], Spool | None]) -> None:
        self._spool = spool

    def put(self, event: RequestEvent) -> bool:
        spool = self._spool()
        return spool is not None and spool.put(event)
