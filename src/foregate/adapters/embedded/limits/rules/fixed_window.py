"""A fixed window: one count that starts anew at each multiple of the window."""

from typing import ClassVar

from foregate.adapters.embedded.limits.rules import windows
from foregate.adapters.embedded.limits.rules.algorithm import SLACK, Decision
from foregate.ports.limits import FixedWindow

UNITS = 64.0  # of one request


class Fixed:
    """`foregate.ports.limits.FixedWindow`."""

    kind: ClassVar[int] = 4
    __slots__ = ("_limit", "_window_s", "lifetime_s")

    def __init__(self, rule: FixedWindow) -> None:
        self._limit = rule.limit * UNITS
        self._window_s = rule.window_s
        self.lifetime_s = max(10.0, 2.0 * rule.window_s)

    def decide(self, cells: tuple[float, ...], own: int, now_s: float, wall_s: float, cost: float) -> Decision:
        """See `Algorithm`."""
        limit, window_s = self._limit, self._window_s
        window = int(now_s / window_s)
        left = limit - windows.count(cells, window)
        units = float(round(cost * UNITS))
        ends_s = (window + 1) * window_s - now_s
        if left + SLACK < min(units, limit):
            return Decision(False, 0.0, ends_s, left / UNITS, ends_s, cells[own], cells[own + 1])
        a, b = windows.own_pair(cells, own, window, units)
        return Decision(True, 0.0, 0.0, (left - units) / UNITS, ends_s, a, b)

    @staticmethod
    def merge(cells: tuple[float, ...]) -> tuple[float, float]:
        """See `Algorithm`."""
        return windows.merge(cells)
