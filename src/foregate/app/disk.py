"""How much room the data directory's file system has, and what follows from it: said early, refused cleanly.

Below the reserve nothing new is taken in and the stores are not written, so that what they have is whole and can be
asked for; it goes on by itself when there is room again.
"""

import errno
import os
from pathlib import Path
from typing import Literal, NamedTuple

import structlog

from foregate.app.keeping import Keeping
from foregate.kernel.clock import Clock
from foregate.kernel.limits import DISK_CRITICAL_BYTES, DISK_LOW_BYTES, DISK_LOW_SHARE, DISK_RESERVE_BYTES

LOOK_EVERY_S = 1.0
Level = Literal["ok", "low", "critical", "full"]


class DiskState(NamedTuple):
    """`free_bytes`: what we may use of it. `low` and `critical` are warnings; `full`: nothing more is kept."""

    level: Level
    free_bytes: int
    total_bytes: int

    @property
    def reason(self) -> str:
        """For whoever is refused."""
        return f"{self.free_bytes // 1_048_576} MB are free, and {DISK_RESERVE_BYTES // 1_048_576} MB are the reserve"


def level_of(free_bytes: int, total_bytes: int) -> Level:
    """Of a small disk, where everything would be critical, the reserves are shares of it."""
    if free_bytes < min(DISK_RESERVE_BYTES, total_bytes * DISK_LOW_SHARE / 4):
        return "full"
    if free_bytes < min(DISK_CRITICAL_BYTES, total_bytes * DISK_LOW_SHARE / 2):
        return "critical"
    if free_bytes < DISK_LOW_BYTES or free_bytes < total_bytes * DISK_LOW_SHARE:
        return "low"
    return "ok"


class Disk:
    """Of the file system that `folder` lies on. `state` may be asked for each batch: it looks once a second."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._looked_s = -LOOK_EVERY_S
        self._state = DiskState("ok", 0, 0)

    def state(self) -> DiskState:
        """As it was within the last second. Raises OSError where the folder is gone."""
        now_s = self._clock.monotonic()
        if now_s - self._looked_s >= LOOK_EVERY_S:
            found = os.statvfs(self._folder)
            free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
            self._state = DiskState(level_of(free, total), free, total)
            self._looked_s = now_s
        return self._state


class WithRoom:
    """A `Keeping` that does not step while the disk is full."""

    def __init__(self, keeping: Keeping, disk: Disk) -> None:
        self._keeping = keeping
        self._disk = disk

    def step(self) -> int:
        """Raises OSError while there is no room: what is on the bus waits there."""
        state = self._disk.state()
        if state.level == "full":
            raise OSError(errno.ENOSPC, "too little free disk, nothing is stored until there is more")
        return self._keeping.step()

    def close(self) -> None:
        self._keeping.close()


class DiskWatch:
    """A `Keeping` that says in the log how the disk is, whenever that changes."""

    def __init__(self, disk: Disk, log: structlog.typing.FilteringBoundLogger) -> None:
        self._disk = disk
        self._log = log
        self._level: Level = "ok"

    def step(self) -> int:
        state = self._disk.state()
        if state.level != self._level:
            self._say(state)
            self._level = state.level
        return 0

    def _say(self, state: DiskState) -> None:
        facts = {"level": state.level, "free_bytes": state.free_bytes, "total_bytes": state.total_bytes}
        if state.level == "ok":
            self._log.info("disk_has_room", **facts)
        elif state.level == "low":
            self._log.warning("disk_low", effect="none yet: free some, or set telemetry.archive_bytes_max", **facts)
        elif state.level == "critical":
            self._log.error("disk_critical", effect="below the reserve telemetry will be refused", **facts)
        else:
            self._log.error("disk_full", effect="telemetry is refused and not stored until there is room", **facts)

    def close(self) -> None:
        """Nothing is open."""
