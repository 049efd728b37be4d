"""The circuit breaker of a whole service: when too many of its answers fail, wherever they come from, it is left alone.

closed → open when, of at least `requests_min` answers in the last `window_s`, a share of `error_rate` has failed →
half-open after `open_s`, when one trial request decides. Its window is a ring of BUCKETS counts, so it costs the same
at any rate. A trial that is undecided after another `open_s` makes room for a further one.
"""

from foregate.gateway.policies.breaker import State
from foregate.wire.policies import ServiceBreaker as Settings

BUCKETS = 10


class ServiceBreaker:
    """State of one service. Every time is handed in, in monotonic seconds."""

    __slots__ = ("_answers", "_bucket_s", "_failures", "_place", "_trial_until_s", "open_until_s", "settings", "state")

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._bucket_s = settings.window_s / BUCKETS
        self._place = -1  # the number of the bucket that is being filled
        self._answers = [0] * BUCKETS
        self._failures = [0] * BUCKETS
        self._trial_until_s = 0.0
        self.state: State = "closed"
        self.open_until_s = 0.0

    def adopt(self, settings: Settings) -> None:
        """Go on with other settings. What is counted is kept, unless the window has another length."""
        if settings.window_s != self.settings.window_s:
            self._forget()
            self._bucket_s = settings.window_s / BUCKETS
        self.settings = settings

    def admits(self, now_s: float) -> bool:
        """Whether a request may be sent now."""
        return self.state == "closed" or (now_s >= self.open_until_s and now_s >= self._trial_until_s)

    def enter(self, now_s: float) -> State:
        """An admitted request is being sent. To be followed by exactly one of `answered`, `left`."""
        if self.state != "closed":
            self.state = "half_open"
            self._trial_until_s = now_s + self.settings.open_s
        return self.state

    def answered(self, now_s: float, failed: bool, entered: State) -> bool:
        """Count an answer to what was sent in the state `entered`. True when this opened or closed the breaker."""
        if entered != self.state:
            return False  # it was sent before the breaker changed: it proves nothing about now
        if entered == "half_open":
            return self._decide(now_s, failed)
        self._turn(now_s)
        place = self._place % BUCKETS
        self._answers[place] += 1
        if not failed:
            return False
        self._failures[place] += 1
        answers, failures = sum(self._answers), sum(self._failures)
        if answers < self.settings.requests_min or failures < self.settings.error_rate * answers:
            return False
        self._open(now_s)
        return True

    def left(self, entered: State) -> None:
        """The client went away before anything was proven: the next request is the trial."""
        if entered == "half_open":
            self._trial_until_s = 0.0

    def _decide(self, now_s: float, failed: bool) -> bool:
        if not self._trial_until_s:
            return False
        if failed:
            self._open(now_s)
        else:
            self._forget()
            self.state = "closed"
        self._trial_until_s = 0.0
        return True

    def _open(self, now_s: float) -> None:
        self.state = "open"
        self.open_until_s = now_s + self.settings.open_s

    def _turn(self, now_s: float) -> None:
        """Empty the buckets that have become the window's new end."""
        place = int(now_s / self._bucket_s)
        for step in range(min(place - self._place, BUCKETS)):
            self._answers[(place - step) % BUCKETS] = self._failures[(place - step) % BUCKETS] = 0
        self._place = max(place, self._place)

    def _forget(self) -> None:
        self._answers = [0] * BUCKETS
        self._failures = [0] * BUCKETS
