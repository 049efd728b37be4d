"""A quota per calendar day or month in UTC, by the wall clock."""

import calendar
import time
from typing import ClassVar

from foregate.adapters.embedded.limits.rules import windows
from foregate.adapters.embedded.limits.rules.algorithm import Decision, Pair
from foregate.ports.limits import CalendarWindow, Moment

DAY_S = 86_400.0


class Calendar:
    """`foregate.ports.limits.CalendarWindow`. Costs are whole numbers here: others are rounded, up to 1 at least."""

    kind: ClassVar[int] = 6
    month: ClassVar[bool] = False  # else a day
    lifetime_s = 2.0 * DAY_S
    __slots__ = ("_base", "_end_s", "_limit", "_odd", "_start_s")

    def __init__(self, rule: CalendarWindow) -> None:
        self._limit = rule.limit
        self._turn(0.0)

    def decide(self, cells: tuple[float, ...], own: int, now_s: float, wall_s: float, cost: float) -> Decision:
        """See `Algorithm`."""
        if not self._start_s <= wall_s < self._end_s:
            self._turn(wall_s)
        limit, base, odd = self._limit, self._base, self._odd
        left = limit - windows.count(cells, odd, base)
        units = cost
        if cost != 1.0 and cost:
            units = max(1.0, float(round(cost)))
        reset_s = self._end_s - wall_s
        if left < units and left < limit:
            return False, reset_s, left, reset_s, cells[own], cells[own + 1]
        a, b = windows.with_more(cells, own, odd, base, units)
        return True, 0.0, left - units, reset_s, a, b

    def _turn(self, wall_s: float) -> None:
        """Remember the period that holds `wall_s`."""
        window, self._start_s, self._end_s = period(wall_s, self.month)
        self._base, self._odd = windows.base_of(window), window & 1

    def settled(
        self, cells: tuple[float, ...], own: int, taken: Moment, now: Moment, cost: float, used: float
    ) -> Pair | None:
        """See `Algorithm`."""
        had = max(1.0, float(round(cost))) if cost else 0.0
        before, present = period(taken.wall_s, self.month)[0], period(now.wall_s, self.month)[0]
        return windows.settled(cells, own, before, present, had, float(round(used)))

    @staticmethod
    def merge(cells: tuple[float, ...]) -> tuple[float, float]:
        """See `Algorithm`."""
        return windows.merge(cells)

    @classmethod
    def speaks(cls, pair: tuple[float, float], wall_s: float) -> bool:
        """Whether a pair holds the period of `wall_s`, or one to come: a clock may be behind when a machine starts."""
        return windows.newest(pair) >= period(wall_s, cls.month)[0]


class Months(Calendar):
    """A quota per month. A kind of its own: a cell alone does not tell a month's number from a day's."""

    kind: ClassVar[int] = 7
    month: ClassVar[bool] = True
    lifetime_s = 2.0 * 31.0 * DAY_S
    __slots__ = ()


def period(wall_s: float, month: bool) -> tuple[int, float, float]:
    """(number, start, end) of the day or month that holds `wall_s`."""
    if not month:
        day = int(wall_s // DAY_S)
        return day, day * DAY_S, (day + 1) * DAY_S
    year, number = time.gmtime(wall_s)[:2]
    start_s = calendar.timegm((year, number, 1, 0, 0, 0))
    return year * 12 + number, start_s, start_s + calendar.monthrange(year, number)[1] * DAY_S
