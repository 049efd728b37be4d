"""What is too old, or too much, out of a store: apart from who fills it, and also when the disk is full."""

from collections.abc import Mapping
from typing import Protocol

import structlog

from foregate.kernel.clock import Clock

EXPIRE_EVERY_S = 600.0  # and so long after the start: the clock may be wrong when a machine has just started
TRIM_EVERY_S = 30.0
DAY_S = 86_400.0
CLOCK_JUMP_S = 3_600.0  # the clock was set on by more: nothing expires for a day, it may be a mistake


class Expiring(Protocol):
    """As much of a store as lets go."""

    def expire(self, older_than_s: float, org: str | None = None) -> int: ...

    def trim(self, bytes_max: int) -> int: ...

    def close(self) -> None: ...


class Schedule:
    """When a store is held within its bound, and when it lets go what is too old."""

    def __init__(
        self, clock: Clock, log: structlog.typing.FilteringBoundLogger, *, trim_every_s: float = TRIM_EVERY_S
    ) -> None:
        self._clock = clock
        self._log = log
        self._trim_every_s = trim_every_s
        self._ahead_s = clock.now() - clock.monotonic()
        self._expire_at_s = clock.monotonic() + EXPIRE_EVERY_S
        self._trim_at_s = clock.monotonic()

    def trim_is_due(self) -> bool:
        """Once each `trim_every_s`, and at the start."""
        now_s = self._clock.monotonic()
        due = now_s >= self._trim_at_s
        if due:
            self._trim_at_s = now_s + self._trim_every_s
        return due

    def expiry_is_due(self) -> bool:
        """Once each EXPIRE_EVERY_S; after the clock was set on by more than CLOCK_JUMP_S not for a day."""
        now_s = self._clock.monotonic()
        if now_s < self._expire_at_s:
            return False
        ahead_s = self._clock.now() - now_s
        jumped_s, self._ahead_s = ahead_s - self._ahead_s, ahead_s
        if jumped_s > CLOCK_JUMP_S:
            self._log.warning("clock_was_set_on", by_s=round(jumped_s), effect="nothing expires for a day")
            self._expire_at_s = now_s + DAY_S
            return False
        self._expire_at_s = now_s + EXPIRE_EVERY_S
        return True


class Expiry:
    """A `Keeping`. `of_orgs`: organisations whose single items are kept for so many days; theirs here go then too."""

    def __init__(
        self,
        store: Expiring,
        days: float,
        bytes_max: int,
        of_orgs: Mapping[str, int],
        clock: Clock,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._store = store
        self._days = days
        self._bytes_max = bytes_max
        self._sooner = {org: days_of for org, days_of in of_orgs.items() if days_of < days}
        self._clock = clock
        self._log = log
        self._schedule = Schedule(clock, log)

    def step(self) -> int:
        """Returns 0: there is nothing to be done at once again. Raises OSError."""
        if self._schedule.trim_is_due() and (gone := self._store.trim(self._bytes_max)):
            self._log.warning("store_at_its_bound", bytes_max=self._bytes_max, deleted=gone, which="the oldest")
        if self._schedule.expiry_is_due():
            self._expire()
        return 0

    def _expire(self) -> None:
        now_s = self._clock.now()
        gone = self._store.expire(now_s - self._days * DAY_S)
        for org, days in self._sooner.items():
            gone += self._store.expire(now_s - days * DAY_S, org)
        if gone:
            self._log.info("expired", items=gone)

    def close(self) -> None:
        self._store.close()
