"""A garbage-collected heap: live bytes, garbage, and stop-the-world pauses that grow with what is alive."""

from foregate.lab.model.call import OutOfMemory

YOUNG_SHARE = 0.2  # of the free space fills with garbage before a collection
PAUSE_MIN_S = 0.002
THRASHING = 0.95  # share of the limit above which a watchdog counts


class Heap:
    """Sizes in MB. Each request makes `request_mb` of garbage and, under a leak, leaves `leak_mb` that stays alive.

    The less space is free, the sooner the garbage fills it: collections come more often just as each grows longer.
    """

    def __init__(self, limit_mb: float, base_mb: float, request_mb: float, pause_s_per_mb: float) -> None:
        self.limit_mb = limit_mb
        self.base_mb = base_mb
        self.request_mb = request_mb
        self.pause_s_per_mb = pause_s_per_mb
        self.live_mb = base_mb
        self.garbage_mb = 0.0
        self.paused_until_s = 0.0
        self.collections = 0

    def allocate(self, now_s: float, leak_mb: float) -> None:
        """Account for one request. Raises OutOfMemory when a collection does not free enough."""
        need_mb = self.request_mb + leak_mb
        if self.live_mb + need_mb > self.limit_mb:
            self._collect(now_s)
            raise OutOfMemory(f"{self.live_mb:.0f} of {self.limit_mb:.0f} MB are alive")
        self.garbage_mb += self.request_mb
        self.live_mb += leak_mb
        if self.garbage_mb > YOUNG_SHARE * (self.limit_mb - self.live_mb):
            self._collect(now_s)

    def _collect(self, now_s: float) -> None:
        self.garbage_mb = 0.0
        self.collections += 1
        pause_s = PAUSE_MIN_S + self.live_mb * self.pause_s_per_mb
        self.paused_until_s = max(self.paused_until_s, now_s) + pause_s

    @property
    def thrashing(self) -> bool:
        return self.live_mb > THRASHING * self.limit_mb

    def shrink(self, share: float) -> None:
        """Free `share` of what leaked (a rolling restart, or the leak's owner let go)."""
        self.live_mb -= share * max(0.0, self.live_mb - self.base_mb)

    def reset(self) -> None:
        """A fresh process."""
        self.live_mb = self.base_mb
        self.garbage_mb = 0.0
        self.paused_until_s = 0.0
