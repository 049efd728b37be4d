"""The objectives of all entities: what was counted, what is left, and who must be told. Pure."""

from collections.abc import Iterable, Sequence
from math import isnan, nan
from typing import Final

from foregate.kernel.limits import OBJECTIVES_MAX
from foregate.predict.slo.book import BurnBook
from foregate.predict.slo.latency import slow_share
from foregate.predict.slo.rules import WINDOWS_S, burn_rate
from foregate.predict.slo.sums import Sums
from foregate.wire.alert import Alert
from foregate.wire.entity import Entity
from foregate.wire.objective import Budget, BurnRate, Objective, ObjectiveKind, ObjectiveSet, ObjectiveState
from foregate.wire.window import WindowStats

_REQUESTS: Final[dict[ObjectiveKind, int]] = {"availability": 0, "latency": 2}  # the column; the bad ones are the next
_LAG_S: Final = 10.0  # a minute is looked at so long after its end, when it has surely been closed and learnt
_AHEAD_S: Final = 900.0  # a minute further ahead of the time was counted before the clock was set back
_SEEN_S_MIN: Final = 3_600.0  # what less than an hour says of a whole period is noise
_TREND_S: Final = 3_600  # whose burn rate says when the budget is spent
_DAY_S: Final = 86_400.0
_Table = list[list[float]]  # per row what `Sums` counted


class Objectives:
    """Feed it closed minutes in any order, and call `judge` at every tick: it looks once a minute.

    `objectives` says what is promised of whom; entities without an objective cost nothing. At most `entities_max` are
    watched; `refused` counts the minutes of those beyond, which are not watched. One that had no traffic for its whole
    period is forgotten.
    """

    def __init__(self, objectives: ObjectiveSet, *, entities_max: int = OBJECTIVES_MAX) -> None:
        self._objectives = objectives
        self._sums = Sums(entities_max)
        self._book = BurnBook()
        self._states: dict[Entity, ObjectiveState] = {}  # of the last look
        self._looked = -1  # the minute

    @property
    def refused(self) -> int:
        return self._sums.refused

    def learn(self, minutes: Iterable[tuple[Entity, WindowStats]]) -> None:
        """Closed minutes; and of the time before a start, windows of 15 minutes or hours that hold none of them."""
        for entity, stats in minutes:
            objective = self._objectives.of(entity)
            if objective is None:
                continue
            counted = counted_of(stats, objective)
            if stats.span_s == 60:
                self._sums.add_minute(entity, stats.start_s, counted)
            else:
                self._sums.add_longer(entity, stats.start_s, stats.span_s, counted)

    def restore(self, alerts: Sequence[Alert]) -> None:
        """Take up the open alerts of before a restart; those of other kinds are left alone."""
        self._book.restore([each for each in alerts if each.kind == "burn_rate" and each.state == "open"])

    def judge(self, time_s: float) -> list[Alert]:
        """The alerts that are new or changed at `time_s`. Looks once a minute; between, it returns nothing."""
        minute = int((time_s - _LAG_S) // 60)
        if minute == self._looked:
            return []
        self._looked = minute
        if self._sums.newest_s > time_s + _AHEAD_S:
            self._sums.rewind(time_s)
        self._states = self._look(time_s)
        return self._book.judge(time_s, self._states)

    def state(self) -> list[ObjectiveState]:
        """Every entity as it was at the last look, in order."""
        return [self._states[entity] for entity in sorted(self._states)]

    def budget_left(self, entity: Entity) -> float:
        """The smallest share of an error budget that was left at the last look; NaN without an objective."""
        state = self._states.get(entity)
        return min(budget.left for budget in state.budgets) if state is not None else nan

    def _look(self, time_s: float) -> dict[Entity, ObjectiveState]:
        windows = {window_s: self._sums.of_last(window_s, time_s).tolist() for window_s in WINDOWS_S}
        periods: dict[int, _Table] = {}
        states = {}
        for entity, row in list(self._sums.rows.items()):
            objective = self._objectives.of(entity)
            if objective is None or self._sums.last_s[row] < time_s - objective.period_days * _DAY_S:
                self._sums.forget(entity)
                continue
            days = objective.period_days
            if days not in periods:
                periods[days] = self._sums.of_days(days, time_s).tolist()
            seen_s = covered_s(float(self._sums.first_s[row]), time_s, days)
            recent = {window_s: table[row] for window_s, table in windows.items()}
            budgets = tuple(budget_of(objective, kind, periods[days][row], recent, seen_s) for kind in kinds(objective))
            seen_days = seen_s / _DAY_S
            # Today is not over: of a whole period the last day is always missing in part.
            note = "" if seen_days >= days - 1 else f"{seen_days:.1f} of {days} days seen"
            states[entity] = ObjectiveState(time_s, entity, objective, budgets, seen_days, note)
        return states


def kinds(objective: Objective) -> tuple[ObjectiveKind, ...]:
    """What it promises."""
    found: list[ObjectiveKind] = []
    if objective.availability is not None:
        found.append("availability")
    if objective.latency_ms is not None:
        found.append("latency")
    return tuple(found)


def target_of(objective: Objective, kind: ObjectiveKind) -> float:
    """The share of requests that are to be good."""
    if kind == "latency":
        return objective.latency_share
    return objective.availability if objective.availability is not None else nan


def counted_of(stats: WindowStats, objective: Objective) -> tuple[float, float, float, float]:
    """(requests, errors, requests with a latency, slow ones of these).

    What a rate limit of ours refused is neither good nor bad. Latencies are those of requests that reached a service.
    """
    requests = max(0, stats.requests - stats.limited)
    slow = slow_share(stats, objective.latency_ms) if objective.latency_ms is not None else nan
    if isnan(slow):
        return requests, min(stats.errors, requests), 0.0, 0.0
    answered = max(0, requests - stats.broken)
    return requests, min(stats.errors, requests), answered, slow * answered


def covered_s(first_s: float, time_s: float, days: int) -> float:
    """How much of the period is known, in seconds: the whole days before today, and today so far."""
    longest_s = (days - 1) * _DAY_S + time_s % _DAY_S
    return min(max(time_s - first_s, _SEEN_S_MIN), max(longest_s, _SEEN_S_MIN))


def budget_of(
    objective: Objective, kind: ObjectiveKind, period: list[float], recent: dict[int, list[float]], seen_s: float
) -> Budget:
    """The budget is a share of the requests of a whole period: those seen, scaled up by what of it is not yet seen."""
    target, column = target_of(objective, kind), _REQUESTS[kind]
    requests, bad = period[column], period[column + 1]
    allowed = (1.0 - target) * requests * objective.period_days * _DAY_S / seen_s
    left = 1.0 - bad / allowed if allowed > 0 else 1.0
    burn = tuple(
        BurnRate(
            window_s,
            burn_rate(counted[column + 1], counted[column], target),
            counted[column],
            counted[column + 1],
        )
        for window_s, counted in recent.items()
    )
    broken_in_s = time_until_broken(allowed - bad, recent[_TREND_S][column + 1] / _TREND_S) if requests > 0 else None
    return Budget(kind, target, requests, bad, allowed, left, burn, broken_in_s)


def time_until_broken(left: float, bad_per_s: float) -> float | None:
    """In seconds, if bad requests go on as they do; 0 when nothing is left, None when nothing is spent."""
    if left <= 0:
        return 0.0
    return left / bad_per_s if bad_per_s > 0 else None
