"""A fixed window: one count that starts anew at each multiple of the window."""

from typing import ClassVar

from foregate.adapters.embedded.limits.rules import windows
from foregate.adapters.embedded.limits.rules.algorithm import SLACK, Decision, Pair
from foregate.ports.limits import FixedWindow, Moment

UNITS = 64.0  # of one request


class Fixed:
    """`foregate.ports.limits.FixedWindow`."""

    kind: ClassVar[int] = 4
    __slots__ = ("_base", "_limit", "_window", "_window_s", "lifetime_s")

    def __init__(self, rule: FixedWindow) -> None:
        self._limit = rule.limit * UNITS
        self._window_s = rule.window_s
        self.lifetime_s = max(10.0, 2.0 * rule.window_s)
        self._window, self._base = 0, windows.base_of(0)  # that was asked for last

    def decide(self, cells: tuple[float, ...], own: int, now_s: float, wall_s: float, cost: float) -> Decision:
        """See `Algorithm`."""
        limit, window_s = self._limit, self._window_s
        window = int(now_s / window_s)
        if window != self._window:
            self._window, self._base = window, windows.base_of(window)
        base, odd = self._base, window & 1
        left = limit - windows.count(cells, odd, base)
        units = UNITS if cost == 1.0 else float(round(cost * UNITS))
        ends_s = (window + 1) * window_s - now_s
        if left + SLACK < units and left + SLACK < limit:
            return False, ends_s, left / UNITS, ends_s, cells[own], cells[own + 1]
        a, b = windows.with_more(cells, own, odd, base, units)
        return True, 0.0, (left - units) / UNITS, ends_s, a, b

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
