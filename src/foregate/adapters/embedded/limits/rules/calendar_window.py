"""A quota per calendar day or month in UTC, by the wall clock."""

import calendar
import time
from typing import ClassVar

from foregate.adapters.embedded.limits.rules import windows
from foregate.adapters.embedded.limits.rules.algorithm import Decision
from foregate.ports.limits import CalendarWindow

DAY_S = 86_400.0


class Calendar:
    """`foregate.ports.limits.CalendarWindow`. Costs are whole numbers here: others are rounded, up to 1 at least."""

    kind: ClassVar[int] = 6
    __slots__ = ("_limit", "_month", "_span", "lifetime_s")

    def __init__(self, rule: CalendarWindow) -> None:
        self._limit = rule.limit
        self._month = rule.period == "month"
        self._span = (0, 0.0, 0.0)  # number, start and end of the period that was asked for last
        self.lifetime_s = 2.0 * DAY_S * (31.0 if self._month else 1.0)

    def decide(self, cells: tuple[float, ...], own: int, now_s: float, wall_s: float, cost: float) -> Decision:
        """See `Algorithm`."""
        window, start_s, end_s = self._span
        if not start_s <= wall_s < end_s:
            window, start_s, end_s = self._span = period(wall_s, self._month)
        limit = self._limit
        left = limit - windows.count(cells, window)
        units = max(1.0, float(round(cost))) if cost else 0.0
        if left < min(units, limit):
            return Decision(False, 0.0, end_s - wall_s, left, end_s - wall_s, cells[own], cells[own + 1])
        a, b = windows.own_pair(cells, own, window, units)
        return Decision(True, 0.0, 0.0, left - units, end_s - wall_s, a, b)

    @staticmethod
    def merge(cells: tuple[float, ...]) -> tuple[float, float]:
        """See `Algorithm`."""
        return windows.merge(cells)


def period(wall_s: float, month: bool) -> tuple[int, float, float]:
    """(number, start, end) of the day or month that holds `wall_s`."""
    if not month:
        day = int(wall_s // DAY_S)
        return day, day * DAY_S, (day + 1) * DAY_S
    year, number = time.gmtime(wall_s)[:2]
    start_s = calendar.timegm((year, number, 1, 0, 0, 0))
    return year * 12 + number, start_s, start_s + calendar.monthrange(year, number)[1] * DAY_S
