"""A worker follows verdicts.json: looks at its stamp a few times a second, so that an undo is in force within one."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from foregate.app.watch import Stamp, stamp
from foregate.wire.verdicts import Verdicts, decode_verdicts

LOOK_S = 0.25


class VerdictsFollower:
    """Hands on each new content. What cannot be read is said once; the worker goes on with what it has."""

    def __init__(
        self, file: Path, follow: Callable[[Verdicts], None], log: structlog.typing.FilteringBoundLogger
    ) -> None:
        self._file = file
        self._follow = follow
        self._log = log
        self._seen: Stamp | None = None
        self._unreadable: Stamp | None = None  # it was said of this one

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Follow what is there now. Some ten milliseconds with the most blocks there may be, less than one usually."""
        now = stamp(self._file)
        if now is None or now == self._seen:
            return
        try:
            verdicts = decode_verdicts(self._file.read_bytes())
        except OSError as error:  # for want of a descriptor, perhaps: it is looked at again
            self._say(now, error)
            return
        except msgspec.DecodeError as error:
            self._say(now, error)
            self._seen = now
            return
        self._seen = now
        self._follow(verdicts)
        self._log.debug("verdicts_followed", version=verdicts.version, blocks=len(verdicts.blocks))

    def _say(self, what: Stamp, error: Exception) -> None:
        if what != self._unreadable:
            self._unreadable = what
            self._log.error("verdicts_unreadable", error=str(error), effect="the ones before stay in force")
