"""A worker follows the snapshot: when it is nudged, and by a look once a second for whoever has no supervisor."""

import asyncio
import contextlib
from pathlib import Path

import structlog

from foregate.app.extensions import MissingExtension, extensions_of
from foregate.app.watch import Stamp, stamp
from foregate.gateway import Gateway
from foregate.http1.tls import BadCertificate
from foregate.kernel.clock import Clock
from foregate.kernel.slices import in_slices
from foregate.wire.snapshot import decoding

LOOK_S = 1.0


class Follower:
    """Puts each new snapshot in force. One that cannot be used is said once; the worker goes on with what it has."""

    def __init__(
        self, gateway: Gateway, file: Path, seen: Stamp | None, clock: Clock, log: structlog.typing.FilteringBoundLogger
    ) -> None:
        self._gateway = gateway
        self._file = file
        self._seen = seen
        self._clock = clock
        self._log = log
        self._nudge = asyncio.Event()
        self._unreadable: Stamp | None = None

    def nudged(self) -> None:
        """There is something new."""
        self._nudge.set()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nudge.wait(), LOOK_S)
            self._nudge.clear()
            now = stamp(self._file)
            if now is not None and now != self._seen and (data := self._read(now)) is not None:
                self._seen = now
                await self._apply(data)

    def _read(self, now: Stamp) -> bytes | None:
        """What is there; None where it cannot be read (for want of a descriptor, perhaps): it is looked at again."""
        try:
            return self._file.read_bytes()
        except OSError as error:
            if now != self._unreadable:
                self._unreadable = now
                self._log.error("snapshot_unreadable", error=str(error), kept=self._gateway.version)
            return None

    async def _apply(self, data: bytes) -> None:
        began_s = self._clock.monotonic()
        try:
            snapshot = await in_slices(decoding(data))
            await self._gateway.apply(snapshot, extensions_of(snapshot))
        except (OSError, ValueError, LookupError, TypeError, BadCertificate, MissingExtension) as error:
            self._log.error("snapshot_refused", error=str(error), kept=self._gateway.version)
            return
        except Exception:  # noqa: BLE001 - a mistake of ours must not end following
            self._log.exception("snapshot_refused", kept=self._gateway.version)
            return
        took_ms = (self._clock.monotonic() - began_s) * 1000.0
        self._log.info("snapshot_applied", snapshot=snapshot.version, took_ms=round(took_ms, 1))
