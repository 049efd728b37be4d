"""Time comes in by the door: code takes a `Clock`, never calls `time` itself."""

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds, as floats: `now` since the Unix epoch (may jump), `monotonic` since any point (never goes back)."""

    def now(self) -> float: ...

    def monotonic(self) -> float: ...


class SystemClock:
    """The machine's clock. Its methods are the C functions themselves: no Python frame on the request path."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)


class ManualClock:
    """A clock that stands still until it is told to move: for tests and simulations."""

    def __init__(self, now_s: float = 1_700_000_000.0) -> None:
        self._now_s = now_s
        self._monotonic_s = 0.0

    def now(self) -> float:
        return self._now_s

    def monotonic(self) -> float:
        return self._monotonic_s

    def advance(self, seconds: float) -> None:
        """Move both clocks forward by `seconds` (≥ 0)."""
        if seconds < 0:
            raise ValueError("a clock does not go back; to test a jump use jump_to()")
        self._now_s += seconds
        self._monotonic_s += seconds

    def jump_to(self, now_s: float) -> None:
        """Set the wall clock alone, as an NTP step would."""
        self._now_s = now_s
