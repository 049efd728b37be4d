"""A provider outside, billed by the hour: it paces callers when their quota runs low and refuses when it is gone."""

from foregate.lab.model.call import QuotaUsed

WINDOW_S = 3600.0
PACING_BELOW = 0.45  # share of the quota left at which pacing begins
START_USED = 0.25  # share already used when the world begins, or an operator raised the quota


class Provider:
    """`quota` units per hour. `pace_s` is the longest delay it imposes, reached when nothing is left."""

    def __init__(self, name: str, quota: float, pace_s: float) -> None:
        self.name = name
        self.quota = quota
        self.pace_s = pace_s
        self.used = START_USED * quota
        self._began_s: float | None = None  # its hours are counted from the first call, whatever the loop's clock says

    @property
    def left(self) -> float:
        """Share of the quota that is left, 0 to 1."""
        return max(0.0, 1.0 - self.used / self.quota)

    def charge(self, now_s: float, units: float) -> float:
        """Use `units`; returns the delay in seconds that the provider imposes. Raises QuotaUsed."""
        self._roll(now_s)
        if self.used + units > self.quota:
            raise QuotaUsed(f"{self.name} answered 429: the quota of this hour is used up")
        self.used += units
        left = self.left
        if left >= PACING_BELOW:
            return 0.0
        return self.pace_s * (1.0 - left / PACING_BELOW)

    def drain(self, units: float) -> None:
        """Somebody else on the same account uses `units`."""
        self.used = min(self.quota, self.used + units)

    def _roll(self, now_s: float) -> None:
        if self._began_s is None:
            self._began_s = now_s
        hours = (now_s - self._began_s) // WINDOW_S
        if hours >= 1.0:
            self._began_s += hours * WINDOW_S
            self.used = 0.0

    def raise_quota(self) -> None:
        """An operator buys more: usage falls back to where the world began."""
        self.used = min(self.used, START_USED * self.quota)
