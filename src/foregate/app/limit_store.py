"""Who counts the limits: this machine's workers together, or a store that several machines share."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from foregate.adapters.embedded.limits import EmbeddedLimits, open_limits
from foregate.kernel.clock import Clock, SystemClock
from foregate.kernel.tasks import spawn
from foregate.ports.limits import LimitStore
from foregate.wire.snapshot import Snapshot

SYNC_S = 2.0  # what a power cut may cost of the quotas


class WorkerLimits:
    """The `store` of one worker, kept on disk where it is embedded."""

    store: LimitStore

    def __init__(
        self,
        file: Path,
        workers: int,
        worker: int,
        snapshot: Snapshot,
        log: structlog.typing.FilteringBoundLogger,
        clock: Clock = SystemClock(),  # noqa: B008 - has no state
    ) -> None:
        self._log = log
        self._syncing: asyncio.Task[None] | None = None
        self._closing: Callable[[], Awaitable[None]] | None = None
        if snapshot.limits_url:
            # Imported here: its client is an extra, and only who shares limits between machines needs it.
            from foregate.adapters.distributed.limits import ValkeyLimits

            shared = ValkeyLimits(snapshot.limits_url, fail_open=snapshot.limits_fail_open, log=self._warn)
            self.store, self._closing = shared, shared.aclose
        else:
            embedded = open_limits(file, workers, worker, now_s=clock.monotonic(), wall_s=clock.now())
            self.store = embedded
            self._syncing = spawn(self._sync(embedded), name="sync limits")

    def _warn(self, what: str, facts: dict[str, object]) -> None:
        self._log.warning(what, **facts)

    async def _sync(self, store: EmbeddedLimits) -> None:
        while True:
            await asyncio.sleep(SYNC_S)
            try:
                await asyncio.to_thread(store.sync)
            except OSError as error:
                self._log.error("limits_not_synced", error=str(error))

    async def close(self) -> None:
        if self._syncing is not None:
            self._syncing.cancel()
            await asyncio.gather(self._syncing, return_exceptions=True)  # a sync in its thread still reads the map
        if self._closing is not None:
            await self._closing()
        else:
            self.store.close()
