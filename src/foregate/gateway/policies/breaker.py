"""The circuit breaker of one target: it stops sending to what has been failing, and tries carefully again.

closed → open after `failures` in a row, or when of the last `window` answers a share of `error_rate` has failed (what
has not been seen yet counts as good) → half-open after `open_s`, when one trial request decides. A trial that is
undecided after another `open_s` (its client may be sending a byte a minute) makes room for a further one.
"""

from collections import deque
from typing import Literal

from foregate.wire.policies import CircuitBreaker

State = Literal["closed", "half_open", "open"]


class Circuit:
    """State of one breaker. Every time is handed in, in monotonic seconds.

    `steady`: closed, and no failure that still counts: another success changes nothing and need not be told.
    """

    __slots__ = ("_answers", "_failed_at", "_failures", "_trial_until_s", "open_until_s", "settings", "state", "steady")

    def __init__(self, settings: CircuitBreaker) -> None:
        self.settings = settings
        self._failures = 0  # in a row
        self._answers = 0  # since the window last held no failure
        self._failed_at: deque[int] = deque()  # which of them failed: never more than `window`
        self._trial_until_s = 0.0  # until then the one request that a half-open circuit lets through may decide
        self.state: State = "closed"
        self.open_until_s = 0.0
        self.steady = True

    def adopt(self, settings: CircuitBreaker) -> None:
        """Go on with other settings; the state stays."""
        self.settings = settings
        if settings.error_rate is None:
            self._failed_at.clear()
        self._slide()

    def admits(self, now_s: float) -> bool:
        """Whether a request may be sent now."""
        if self.state == "closed":
            return True
        return now_s >= self.open_until_s and now_s >= self._trial_until_s

    def enter(self, now_s: float) -> State:
        """A request that was admitted is being sent. Tells in which state; must be followed by exactly one of
        `succeeded`, `failed`, `left`, or by nothing where the circuit is `steady` and it succeeded."""
        if self.state != "closed":
            self.state = "half_open"
            self._trial_until_s = now_s + self.settings.open_s
        return self.state

    def succeeded(self) -> bool:
        """True when this closed the circuit."""
        if self.state == "closed":
            self._failures = 0
            self._answers += 1
            self._slide()
            return False
        if not self._trial_until_s:
            return False  # an answer to what was sent before the circuit opened proves nothing about now
        self._trial_until_s = 0.0
        self.state = "closed"
        self._forget()
        return True

    def failed(self, now_s: float) -> bool:
        """True when this opened the circuit."""
        if self.state == "open":
            return False
        self._failures += 1
        self._answers += 1
        if self.settings.error_rate is not None:
            self._failed_at.append(self._answers)
        self._slide()
        if self.state == "closed" and not self._too_many():
            return False
        self._trial_until_s = 0.0
        self.state = "open"
        self.steady = False
        self.open_until_s = now_s + self.settings.open_s
        return True

    def left(self) -> None:
        """The client went away before the target could prove anything: the next request is the trial."""
        self._trial_until_s = 0.0

    def _too_many(self) -> bool:
        settings = self.settings
        if self._failures >= settings.failures:
            return True
        return settings.error_rate is not None and len(self._failed_at) >= settings.error_rate * settings.window

    def _slide(self) -> None:
        """Let the window go on to the latest answer."""
        failed_at, oldest = self._failed_at, self._answers - self.settings.window
        while failed_at and failed_at[0] <= oldest:
            failed_at.popleft()
        self.steady = self.state == "closed" and self._failures == 0 and not failed_at

    def _forget(self) -> None:
        self._failures = self._answers = 0
        self._failed_at.clear()
        self.steady = True
