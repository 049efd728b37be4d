"""An ingest process follows its keys: when it is nudged, and by a look once a second for whoever has no supervisor."""

import asyncio
import contextlib

import msgspec
import structlog

from foregate.app.paths import DataDir
from foregate.app.runtime import read_ingest
from foregate.app.watch import Stamp, stamp
from foregate.telemetry.ingest import IngestServer

LOOK_S = 1.0


class KeysFollower:
    """Puts the keys of each new ingest.json in force; everything else in it waits for a restart. One that cannot be
    read is said once, and looked at again."""

    def __init__(
        self, server: IngestServer, data: DataDir, seen: Stamp | None, log: structlog.typing.FilteringBoundLogger
    ) -> None:
        self._server = server
        self._data = data
        self._seen = seen
        self._log = log
        self._nudge = asyncio.Event()
        self._unreadable: Stamp | None = None

    def nudged(self) -> None:
        """There may be something new."""
        self._nudge.set()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nudge.wait(), LOOK_S)
            self._nudge.clear()
            now = stamp(self._data.ingest)
            if now is not None and now != self._seen:
                self._apply(now)

    def _apply(self, now: Stamp) -> None:
        try:
            keys = read_ingest(self._data).keys
        except (OSError, msgspec.DecodeError) as error:
            if now != self._unreadable:
                self._unreadable = now
                self._log.error("keys_unreadable", error=str(error))
            return
        self._seen = now
        self._server.apply(keys)
        self._log.info("keys_applied", keys=len(keys))
