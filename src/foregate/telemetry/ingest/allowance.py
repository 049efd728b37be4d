"""How many items per second a key may send: a token bucket over a count that several processes share. Pure.

Every process sees the same count of items taken, so the limit holds for all of them together without a lock; each is
wrong by at most what the others take while it decides.
"""

BURST_S = 1.0  # of saved up tokens


class Allowance:
    """Full at first. A post of more items than the bucket holds passes when it is full, and leaves a debt."""

    __slots__ = ("_at_s", "_burst", "_seen", "_tokens", "per_s")

    def __init__(self, per_s: float, taken: float, now_s: float) -> None:
        self.per_s = per_s
        self._burst = max(1.0, per_s * BURST_S)
        self._tokens = self._burst
        self._seen = taken
        self._at_s = now_s

    def wait_s(self, items: int, taken: float, now_s: float) -> float:
        """0.0: they may pass, and whoever lets them adds them to what is `taken`. Else so many seconds are too early.

        `taken`: items that ever passed, in all processes; what was refused later is taken off again.
        """
        gained = (now_s - self._at_s) * self.per_s - (taken - self._seen)
        self._tokens = min(self._burst, self._tokens + gained)
        self._seen, self._at_s = taken, now_s
        missing = min(float(items), self._burst) - self._tokens
        return max(0.0, missing) / self.per_s
