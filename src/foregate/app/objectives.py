"""Objectives in the analyzer: what they counted before a start, what they say now, and where it is kept."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import structlog

from foregate.kernel.limits import OPEN_ALERTS_MAX
from foregate.ports.findings import FindingsReader, FindingsWriter
from foregate.ports.series import SeriesReader
from foregate.predict.slo import Objectives
from foregate.wire.alert import Alert
from foregate.wire.entity import Entity
from foregate.wire.objective import ObjectiveSet, ObjectiveState
from foregate.wire.window import WindowStats

DAY_S = 86_400.0
HOUR_S = 3_600.0
MINUTES_S = 21_600.0  # so long before the start is read by the minute, what lies before by the hour
RULES_DAYS = 4  # in which lie the three that rules look at, however short the period
SCAN_ROWS_MAX = 2_000_000  # of one scan, a day by the hour or an hour by the minute; further windows are not read


class _Findings(FindingsWriter, FindingsReader, Protocol):
    """Both sides."""


class ObjectiveWatch:
    """`predict.slo.Objectives` joined with the stores. Without an objective every call costs nothing."""

    def __init__(
        self,
        objectives: ObjectiveSet,
        series: SeriesReader,
        findings: _Findings,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._settings = objectives
        given = [each for each in (objectives.default, *objectives.routes.values()) if each is not None]
        self._days = max((each.period_days for each in given), default=0)  # 0: there is none
        self._objectives = Objectives(objectives)
        self._series = series
        self._findings = findings
        self._log = log
        self._stored_s = 0.0  # of the states that are stored
        self._refused = 0

    def restore(self, until_s: float) -> None:
        """Take up what was counted before `until_s` (a minute's border), and the alerts that are open."""
        if self._days == 0:
            return
        self._objectives.restore(self._findings.alerts(state="open", limit=OPEN_ALERTS_MAX, before=None))
        begin_s = (until_s // DAY_S - max(self._days, RULES_DAYS) + 1) * DAY_S
        fine_s = max(begin_s, (until_s - MINUTES_S) // HOUR_S * HOUR_S)
        for day_s in _steps(begin_s, fine_s, DAY_S):
            self._objectives.learn(self._by_hour(day_s, min(day_s + DAY_S, fine_s)))
        for hour_s in _steps(fine_s, until_s, HOUR_S):
            self._objectives.learn(self._windows(60, hour_s, min(hour_s + HOUR_S, until_s)))

    def learn(self, minutes: Sequence[tuple[Entity, WindowStats]]) -> None:
        """Closed minutes."""
        if self._days:
            self._objectives.learn(minutes)

    def judge(self, time_s: float) -> list[Alert]:
        """The burn-rate alerts that are new or changed; see `Objectives.judge`."""
        if not self._days:
            return []
        alerts = self._objectives.judge(time_s)
        if refused := self._objectives.refused - self._refused:
            self._log.warning("objectives_not_watched", minutes=refused, reason="too many routes have an objective")
            self._refused = self._objectives.refused
        return alerts

    def store(self) -> None:
        """Keep the states of the last look for those who ask. Raises OSError: call it again."""
        states = self._objectives.state() if self._days else []
        if states and states[0].time_s != self._stored_s:
            self._findings.put_objectives(states)
            self._stored_s = states[0].time_s

    def budget_left(self, entity: Entity) -> float:
        """See `Objectives.budget_left`."""
        return self._objectives.budget_left(entity)

    def state(self) -> list[ObjectiveState]:
        """See `Objectives.state`."""
        return self._objectives.state()

    def _by_hour(self, from_s: float, until_s: float) -> Iterator[tuple[Entity, WindowStats]]:
        """Of hours that are not rolled up, or no longer, their quarters."""
        stale = set(self._series.stale(from_s, until_s))
        yield from ((who, stats) for who, stats in self._windows(3_600, from_s, until_s) if stats.start_s not in stale)
        for hour_s in sorted(hour_s for hour_s in stale if from_s <= hour_s < until_s):  # others are named, too
            yield from self._windows(900, hour_s, hour_s + HOUR_S)

    def _windows(self, span_s: int, from_s: float, until_s: float) -> Iterator[tuple[Entity, WindowStats]]:
        found = self._series.scan(span_s, from_s, until_s, rows_max=SCAN_ROWS_MAX, sketches="none")
        return ((one.entity, one.stats) for one in found if self._settings.of(one.entity) is not None)


def _steps(begin_s: float, end_s: float, step_s: float) -> Iterator[float]:
    while begin_s < end_s:
        yield begin_s
        begin_s += step_s
