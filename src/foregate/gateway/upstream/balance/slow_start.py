"""Slow start: a new or recovered target has cold caches and an empty pool; it gets its share linearly over time."""

FLOOR = 0.05  # of its share at the beginning: with nothing it would never warm up


def ramp(elapsed_s: float, slow_start_s: float) -> float:
    """The share of its weight that a target gets `elapsed_s` after it came: FLOOR to 1.0."""
    if slow_start_s <= 0.0 or elapsed_s >= slow_start_s:
        return 1.0
    return max(FLOOR, elapsed_s / slow_start_s)
