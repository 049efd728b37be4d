"""The circuit breaker of one target: it stops sending to what has been failing, and tries carefully again.

closed → open after `failures` in a row → half-open after `open_s`, when one trial request decides. A trial that is
undecided after another `open_s` (its client may be sending a byte a minute) makes room for a further one.
"""

from typing import Literal

from foregate.wire.snapshot import Breaker

State = Literal["closed", "half_open", "open"]


class Circuit:
    """State of one breaker. Every time is handed in, in monotonic seconds."""

    __slots__ = ("_failures", "_settings", "_trial_until_s", "open_until_s", "state")

    def __init__(self, settings: Breaker) -> None:
        self._settings = settings
        self._failures = 0
        self._trial_until_s = 0.0  # until then the one request that a half-open circuit lets through may decide
        self.state: State = "closed"
        self.open_until_s = 0.0

    @property
    def steady(self) -> bool:
        """Closed, and no failure since the last success: another success changes nothing."""
        return self._failures == 0 and self.state == "closed"

    def admits(self, now_s: float) -> bool:
        """Whether a request may be sent now."""
        if self.state == "closed":
            return True
        return now_s >= self.open_until_s and now_s >= self._trial_until_s

    def enter(self, now_s: float) -> State:
        """A request that was admitted is being sent. Tells in which state; must be followed by exactly one of
        `succeeded`, `failed`, `left`."""
        if self.state != "closed":
            self.state = "half_open"
            self._trial_until_s = now_s + self._settings.open_s
        return self.state

    def succeeded(self) -> bool:
        """True when this closed the circuit."""
        self._failures = 0
        if self.state == "closed" or not self._trial_until_s:
            return False  # an answer to what was sent before the circuit opened proves nothing about now
        self._trial_until_s = 0.0
        self.state = "closed"
        return True

    def failed(self, now_s: float) -> bool:
        """True when this opened the circuit."""
        self._failures += 1
        if self.state == "open" or (self.state == "closed" and self._failures < self._settings.failures):
            return False
        self._trial_until_s = 0.0
        self.state = "open"
        self.open_until_s = now_s + self._settings.open_s
        return True

    def left(self) -> None:
        """The client went away before the target could prove anything: the next request is the trial."""
        self._trial_until_s = 0.0
