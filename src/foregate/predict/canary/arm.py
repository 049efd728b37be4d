"""What has become of one service's requests of a route within the last window: counts, and in buckets the latencies of
those that did not fail."""

from __future__ import annotations

import math
from collections import Counter, deque

BUCKETS_MAX = 60  # of time, per window
_GROWTH = math.log(1.05)  # neighbouring latency buckets: a quantile is right within five percent
_LEAST_MS = 0.1


def bucket_of(latency_ms: float) -> int:
    """The latency bucket; its lower bound is `bound_ms` of it."""
    return int(math.log(max(latency_ms, _LEAST_MS) / _LEAST_MS) / _GROWTH)


def bound_ms(bucket: int) -> float:
    return _LEAST_MS * math.exp(bucket * _GROWTH)


class Arm:
    """Times are Unix seconds of the events. What is older than `window_s` counts no more."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._width_s = window_s / BUCKETS_MAX
        self._slices: deque[tuple[float, list[int], Counter[int]]] = deque()  # begin, [requests, failures], latencies

    def add(self, time_s: float, failed: bool, latency_ms: float) -> None:
        """A failure has no latency: those of a service that refuses at once would make all others look slow."""
        begin_s = time_s // self._width_s * self._width_s
        if not self._slices or begin_s > self._slices[-1][0]:
            self._slices.append((begin_s, [0, 0], Counter()))
        youngest_s, counts, latencies = self._slices[-1]  # one that comes late counts in the youngest slice …
        if begin_s <= youngest_s - self._window_s:
            return  # … but not one of another time
        counts[0] += 1
        counts[1] += failed
        if not failed:
            latencies[bucket_of(latency_ms)] += 1

    def expire(self, now_s: float) -> None:
        """Forget what lies before the window."""
        while self._slices and self._slices[0][0] + self._width_s <= now_s - self._window_s:
            self._slices.popleft()

    @property
    def requests(self) -> int:
        return sum(counts[0] for _, counts, _ in self._slices)

    @property
    def failures(self) -> int:
        return sum(counts[1] for _, counts, _ in self._slices)

    def quantile_ms(self, share: float) -> float:
        """The latency that this share of them stayed below; 0 without any."""
        merged = self._latencies()
        wanted = share * sum(merged.values())
        for bucket in sorted(merged):
            wanted -= merged[bucket]
            if wanted <= 0:
                return bound_ms(bucket + 1)
        return 0.0

    def slower_than(self, latency_ms: float) -> int:
        """How many took longer."""
        least = bucket_of(latency_ms)
        return sum(count for bucket, count in self._latencies().items() if bucket > least)

    def _latencies(self) -> Counter[int]:
        merged: Counter[int] = Counter()
        for _, _, latencies in self._slices:
            merged.update(latencies)
        return merged
