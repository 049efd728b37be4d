"""The archive's upkeep: what is old goes out of it, and small segments become large ones."""

from collections.abc import Mapping

import msgspec
import structlog

from foregate.app.archiving import ARCHIVED
from foregate.app.disk import Disk
from foregate.app.expiry import DAY_S, Schedule
from foregate.kernel.clock import Clock
from foregate.ports.archive import ArchiveWriter

EXPIRY_STEP_S = 21_600.0  # the border moves so far at once, because the segment that it cuts is written anew
TRIM_EVERY_S = 60.0
UNBOUNDED = 1 << 62


class ArchiveBounds(msgspec.Struct, frozen=True):
    """`days`: of all organisations that `of` does not name. `bytes_max`: of the archive, None for no bound."""

    days: int
    of: Mapping[str, int] = {}
    bytes_max: int | None = None

    def border_s(self, org: str, now_s: float) -> float:
        """What is older may go."""
        return (now_s - self.of.get(org, self.days) * DAY_S) // EXPIRY_STEP_S * EXPIRY_STEP_S


class Upkeep:
    """A `Keeping`: merges small segments, lets go what is too old, and holds the archive within its bound."""

    def __init__(
        self,
        archive: ArchiveWriter,
        bounds: ArchiveBounds,
        disk: Disk,
        clock: Clock,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._archive = archive
        self._bounds = bounds
        self._disk = disk
        self._clock = clock
        self._log = log
        self._schedule = Schedule(clock, log, trim_every_s=TRIM_EVERY_S)

    def step(self) -> int:
        """One piece of work. Returns 0 when there is none left for now. Raises OSError."""
        if self._schedule.trim_is_due():
            self._trim()
        if self._schedule.expiry_is_due():
            self._expire()
        return 0 if self._disk.state().level == "full" else self._archive.compact()

    def _expire(self) -> None:
        now_s = self._clock.now()
        kinds = {kind for kind, _ in ARCHIVED.values()}
        for org in self._archive.orgs():
            border_s = self._bounds.border_s(org, now_s)
            gone = sum(self._archive.expire(kind, org, border_s) for kind in sorted(kinds))
            if gone:
                self._log.info("expired", org=org, items=gone, older_than_s=border_s)

    def _trim(self) -> None:
        bytes_max = self._bounds.bytes_max or UNBOUNDED  # then only what was replaced is deleted
        if gone := self._archive.trim(bytes_max):
            self._log.warning("archive_at_its_bound", bytes_max=bytes_max, deleted=gone, which="the oldest")

    def close(self) -> None:
        """The archive is closed by who opened it."""
