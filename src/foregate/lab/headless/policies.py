"""The simulated front's circuit breaker and token bucket."""

from foregate.wire.event import BreakerOutcome


class Breaker:
    """Open after `failures` in a row; after `open_s` one call at a time may try."""

    __slots__ = ("_failures", "_in_a_row", "_open_s", "_opened_s", "_trying")

    def __init__(self, failures: int, open_s: float) -> None:
        self._failures = failures
        self._open_s = open_s
        self._in_a_row = 0
        self._opened_s: float | None = None
        self._trying = False

    def admits(self, now_s: float) -> bool:
        """Whether a call may be sent now."""
        return self._opened_s is None or (not self._trying and now_s - self._opened_s >= self._open_s)

    def enter(self) -> BreakerOutcome:
        """A call that was admitted is sent; tells in which state."""
        if self._opened_s is None:
            return "closed"
        self._trying = True
        return "half_open"

    def record(self, good: bool, now_s: float) -> None:
        """An attempt is over. What was sent before the circuit opened proves nothing once it is open."""
        if self._opened_s is not None and not self._trying:
            return
        self._in_a_row = 0 if good else self._in_a_row + 1
        if good:
            self._opened_s = None
        elif self._trying or self._in_a_row >= self._failures:
            self._opened_s = now_s
        self._trying = False

    def left(self) -> None:
        """The client went away before the attempt could prove anything: the next call is the trial."""
        self._trying = False


class Bucket:
    """`per_s` tokens a second, `burst` at most."""

    __slots__ = ("_at_s", "_burst", "_per_s", "_tokens")

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._tokens = burst
        self._at_s = 0.0

    def admit(self, now_s: float) -> bool:
        self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
