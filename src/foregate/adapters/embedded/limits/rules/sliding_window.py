"""A sliding window from two counts: the present window's, and of the one before what is still in view.

The n requests of the previous window are taken as evenly spread, at 0, 1/n, … of it: of them those count that lie after
the view's beginning (Cloudflare's approximation weights n without rounding, and so admits limit − 1 per window under
steady demand: 10 % too few of 10). The error is bounded by how unevenly they really were spread: none under steady
demand; with all of them at the window's end, up to its whole count (`ports.limits.SlidingWindow`).
"""

import math
from typing import ClassVar

from foregate.adapters.embedded.limits.rules import windows
from foregate.adapters.embedded.limits.rules.algorithm import SLACK, Decision, Pair
from foregate.ports.limits import Moment, SlidingWindow

UNITS = 64.0  # of one request


class Sliding:
    """`foregate.ports.limits.SlidingWindow`."""

    kind: ClassVar[int] = 3
    __slots__ = ("_base", "_base_before", "_limit", "_window", "_window_s", "lifetime_s")

    def __init__(self, rule: SlidingWindow) -> None:
        self._limit = rule.limit
        self._window_s = rule.window_s
        self.lifetime_s = max(10.0, 3.0 * rule.window_s)
        self._turn(0)

    def decide(self, cells: tuple[float, ...], own: int, now_s: float, wall_s: float, cost: float) -> Decision:
        """See `Algorithm`."""
        limit, window_s = self._limit, self._window_s
        windows_gone = now_s / window_s
        window = int(windows_gone)
        gone = windows_gone - window
        if window != self._window:
            self._turn(window)
        base, odd = self._base, window & 1
        present = windows.count(cells, odd, base) / UNITS
        left = limit - present
        before = windows.count(cells, 1 - odd, self._base_before)
        if before:
            before /= UNITS
            left -= max(0, math.ceil(before * (1.0 - gone) - SLACK) - 1)
        reset_s = (1.0 - gone) * window_s
        if left + SLACK < cost and left + SLACK < limit:
            retry_after_s = _until(limit - min(limit, cost), present, before, gone) * window_s
            return False, retry_after_s, left, reset_s, cells[own], cells[own + 1]
        units = UNITS if cost == 1.0 else float(round(cost * UNITS))
        a, b = windows.with_more(cells, own, odd, base, units)
        return True, 0.0, left - cost, reset_s, a, b

    def _turn(self, window: int) -> None:
        """Remember the window that was asked for last."""
        self._window = window
        self._base, self._base_before = windows.base_of(window), windows.base_of(window - 1)

    def settled(
        self, cells: tuple[float, ...], own: int, taken: Moment, now: Moment, cost: float, used: float
    ) -> Pair | None:
        """See `Algorithm`."""
        window_s = self._window_s
        had, units = float(round(cost * UNITS)), float(round(used * UNITS))
        return windows.settled(cells, own, int(taken.now_s / window_s), int(now.now_s / window_s), had, units)

    @staticmethod
    def merge(cells: tuple[float, ...]) -> tuple[float, float]:
        """See `Algorithm`."""
        return windows.merge(cells)


def _until(room: float, present: float, before: float, gone: float) -> float:
    """How many windows to wait until no more than `room` is counted, when nobody else comes."""
    if present <= room + SLACK and before:
        return 1.0 - (math.floor(room - present + SLACK) + 1.0) / before - gone
    return 1.0 - gone + max(0.0, 1.0 - (math.floor(room + SLACK) + 1.0) / present)
