"""How many retries a service bears: a share of its traffic, so that a failing service is not drowned by repetition.

    retries(active + ended lately) < share · requests(under way or begun lately)    or    retries(active) < minimum

A retry is active from the moment it is planned, waiting included, and a hedge from the moment it is sent, until the
attempt ends: backoff hides no storm. "Lately" is the last WINDOW_S. Requests are counted by whoever serves them in one
number that only grows; it is looked at here when somebody wants to retry, so ordinary requests pay one increment.

Source: Envoy's retry budgets (active retries against active requests) joined with Finagle's (over a window).
"""

SLICES = 10  # so many numbers are kept of requests and of retries, whatever the traffic
_SLICE_S = 1.0
WINDOW_S = SLICES * _SLICE_S


class RetryBudget:
    """State of one service. Times are monotonic seconds. `active`: retries planned or under way."""

    __slots__ = ("_begun", "_ended", "_requests", "active")

    def __init__(self) -> None:
        self.active = 0
        self._begun = 0
        self._requests = _Lately()
        self._ended = _Lately()

    def take(self, now_s: float, begun: int, under_way: int, share: float, minimum: int) -> bool:
        """Count one more retry if there is room; then `give_back` must be called once when it has ended.

        `begun`: the number of requests ever begun; `under_way`: those that have not ended.
        """
        self._requests.spread(now_s, begun - self._begun)
        self._begun = begun
        lately = max(self._requests.total(), under_way)
        self._ended.spread(now_s, 0)
        if self.active >= minimum and self.active + self._ended.total() + 1 > share * lately:
            return False
        self.active += 1
        return True

    def give_back(self, now_s: float) -> None:
        """A retry has ended, or was never sent."""
        self.active -= 1
        self._ended.spread(now_s, 0)
        self._ended.add(1)


class _Lately:
    """A sum over the last WINDOW_S, in slices."""

    __slots__ = ("_at", "_slices")

    def __init__(self) -> None:
        self._at = 0  # the number of the present slice
        self._slices = [0.0] * SLICES

    def spread(self, now_s: float, amount: int) -> None:
        """Go on to the present; `amount` has come evenly since the last time."""
        at = max(int(now_s / _SLICE_S), self._at)
        passed, self._at = at - self._at, at
        slices = self._slices
        for step in range(min(passed, SLICES)):
            slices[(at - step) % SLICES] = 0.0
        if amount:
            each = amount / (passed + 1)
            for step in range(min(passed + 1, SLICES)):
                slices[(at - step) % SLICES] += each

    def add(self, amount: int) -> None:
        self._slices[self._at % SLICES] += amount

    def total(self) -> float:
        return sum(self._slices)
