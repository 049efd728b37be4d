"""How many of a window's requests took longer than so many milliseconds, read off its quantiles."""

from math import log
from typing import Final

from foregate.wire.window import WindowStats

_SHARES: Final = (0.5, 0.9, 0.95, 0.99, 0.999, 1.0)


def slow_share(stats: WindowStats, limit_ms: float) -> float:
    """The share of measured requests above `limit_ms`, 0 to 1; NaN when no latency was measured.

    A window keeps its quantiles, not each latency. Between two of them the share is interpolated along the logarithm
    of the latency (below the median: along the latency), so it is never wrong by more than the gap between the two:
    at p95 ≤ limit it is 5 % at most, and at p99 > limit it is 1 % at least.
    """
    knots = (stats.p50_ms, stats.p90_ms, stats.p95_ms, stats.p99_ms, stats.p999_ms, stats.max_ms)
    if knots[-1] <= 0.0:
        return float("nan")
    if limit_ms >= knots[-1]:
        return 0.0
    if limit_ms < knots[0]:
        return 1.0 - 0.5 * limit_ms / knots[0]
    below_ms, below = max(knots[0], 1e-9), _SHARES[0]
    for knot_ms, share in zip(knots[1:], _SHARES[1:], strict=True):
        if limit_ms < knot_ms:
            along = log(limit_ms / below_ms) / log(knot_ms / below_ms)
            return 1.0 - below - along * (share - below)
        below_ms, below = max(knot_ms, below_ms), share
    return 0.0
