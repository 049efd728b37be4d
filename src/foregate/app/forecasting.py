"""What is forecast: of the busiest routes requests, p95, error budget and quota; of all AI traffic its cost.

Run by a process of its own, now and then: models take their time, and the judging must not wait for them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import structlog

from foregate.app.forecast_quotas import KIND, QuotaNow
from foregate.kernel.clock import Clock
from foregate.kernel.limits import FORECAST_ENTITIES_MAX
from foregate.ports.findings import FindingsReader, FindingsWriter
from foregate.ports.series import SeriesReader
from foregate.predict.forecast import DAY, WEEK, BudgetNow, Plan, Subject, forecast, regular, standing
from foregate.predict.forecast.models import Model
from foregate.predict.slo.objectives import counted_of
from foregate.wire.entity import Entity
from foregate.wire.forecast import Forecast, Metric
from foregate.wire.objective import ObjectiveState
from foregate.wire.window import WindowStats

DAY_S = 86_400.0
HOUR_S = 3_600
SETTLED_S = 60.0  # a step is taken so long after its end, when its windows have surely been stored
RUNS_OUT = ("error_budget", "quota")
BUDGET_AGE_S = 3_600.0  # an objective's state that is older is no state of now
RANKED_ROWS_MAX = 4_000_000  # windows of a day that are added up to find the busiest
HOURS_MAX = 2_000  # of the ledger: more than a plan's past has
EVERYTHING = Entity("", "", "", "")  # of what is known of all routes together alone
NOT_INSTALLED = "simple models alone: statsforecast is not installed (foregate[forecast])"
Values = Mapping[float, float]  # by the step's start
_Measured = tuple[Metric, Values, BudgetNow | None]
Models = Callable[[Plan], Sequence[Model]]


class _Findings(FindingsWriter, FindingsReader, Protocol):
    """Both sides."""


class _Asked(NamedTuple):
    """One series and whose forecast it is to become. `zero`: steps in which nothing happened, where no value is."""

    subject: Subject
    plan: Plan
    values: Values
    zero: Iterable[float]


class Forecasting:
    """One run of it. `models`: what there is beside the simple ones; raises ImportError where nothing is installed."""

    def __init__(
        self,
        series: SeriesReader,
        findings: _Findings,
        clock: Clock,
        log: structlog.typing.FilteringBoundLogger,
        models: Models,
        *,
        quotas: Callable[[], Mapping[Entity, QuotaNow]] = dict,
        entities_max: int = FORECAST_ENTITIES_MAX,
    ) -> None:
        self._series = series
        self._findings = findings
        self._clock = clock
        self._log = log
        self._models = models
        self._quotas = quotas
        self._entities_max = entities_max

    def run(self) -> int:
        """Make what is due, and store each as it is made. Returns how many forecasts. Raises OSError."""
        began_s, now_s = self._clock.monotonic(), self._clock.now()
        before = {(one.entity, one.metric, one.step_s): one for one in self._findings.forecasts()}
        made = 0
        for asked in self._asked(now_s, before):
            self._findings.put_forecasts([self._forecast(asked, now_s)])
            made += 1
        self._log.info("forecast", series=made, took_s=round(self._clock.monotonic() - began_s, 1))
        return made

    def _forecast(self, asked: _Asked, now_s: float) -> Forecast:
        plan = asked.plan
        until_s = _until_s(plan, now_s)
        from_s = until_s - plan.past_days * DAY_S
        series = regular(asked.values, plan.step_s, from_s, until_s, zero=asked.zero)
        adaptive, note = self._adaptive(plan) if standing(series, plan)[0] == "forecast" else ((), "")
        return forecast(asked.subject, series, plan, adaptive, now_s=now_s, note=note)

    def _adaptive(self, plan: Plan) -> tuple[Sequence[Model], str]:
        """Loading them takes seconds: only for a series that they can be asked about."""
        try:
            return self._models(plan), ""
        except ImportError:
            return (), NOT_INSTALLED

    def _asked(self, now_s: float, before: Mapping[tuple[Entity, Metric, int], Forecast]) -> Iterator[_Asked]:
        busiest = self._busiest(now_s)
        states = {one.entity: one for one in self._findings.objectives() if now_s - one.time_s < BUDGET_AGE_S}
        for plan in (DAY, WEEK):
            windows = {entity: self._windows(entity, plan, now_s) for entity in busiest}
            alive = {stats.start_s for found in windows.values() for stats in found}
            quotas = self._quotas() if plan is WEEK else {}
            for entity, found in windows.items():
                several = [*_metrics(found, states.get(entity), plan)]
                if (quota := quotas.get(entity)) is not None:
                    several += self._used(entity, found, quota, now_s)
                for metric, values, budget in several:
                    known = before.get((entity, metric, plan.step_s))
                    if _due(known, metric, plan, now_s):
                        zero = () if metric == "p95_ms" else alive
                        yield _Asked(Subject(entity, metric, known, budget), plan, values, zero)
        known = before.get((EVERYTHING, "cost", WEEK.step_s))
        if (cost := self._cost(now_s)) and _due(known, "cost", WEEK, now_s):
            yield _Asked(Subject(EVERYTHING, "cost", known), WEEK, cost, alive)

    def _busiest(self, now_s: float) -> list[Entity]:
        """Those with the most requests of the last day; of a younger foregate by its quarters of hours."""
        for span_s in (HOUR_S, 900):
            sums = self._series.sums("requests", span_s, now_s - DAY_S, now_s, rows_max=RANKED_ROWS_MAX)
            ranked = sorted((one for one in sums if one[1] > 0), key=lambda one: (-one[1], one[0]))
            if ranked:
                return [entity for entity, _ in ranked[: self._entities_max]]
        return []

    def _windows(self, entity: Entity, plan: Plan, now_s: float) -> list[WindowStats]:
        """Its windows of the plan's past; without hours that are not, or no longer, rolled up."""
        until_s = _until_s(plan, now_s)
        from_s = until_s - plan.past_days * DAY_S
        stale = set(self._series.stale(from_s, until_s)) if plan.step_s == HOUR_S else set()
        found = self._series.scan(plan.step_s, from_s, until_s, entity=entity, sketches="none")
        return [one.stats for one in found if one.stats.start_s not in stale]

    def _used(self, entity: Entity, found: Sequence[WindowStats], quota: QuotaNow, now_s: float) -> list[_Measured]:
        """The share of its quota that an hour uses up, as if each request took what it has taken since it was new."""
        hours = sum(stats.requests for stats in found if stats.start_s >= quota.start_s)
        begun_s = max(_until_s(WEEK, now_s), quota.start_s)
        begun = self._series.scan(900, begun_s, now_s, entity=entity, sketches="none")
        each = quota.per_request(hours + sum(one.stats.requests for one in begun))
        if each is None:
            return []
        used = {stats.start_s: stats.requests * each for stats in found}
        return [("quota", used, BudgetNow(KIND, quota.left, quota.end_s))]

    def _cost(self, now_s: float) -> dict[float, float]:
        """Of AI traffic by the hour, at the configured prices; empty where nothing has cost anything."""
        until_s = _until_s(WEEK, now_s)
        used = self._series.usage("hour", until_s - WEEK.past_days * DAY_S, until_s, rows_max=HOURS_MAX).used
        costs = {float(hour): sums.cost for hour, sums in used}
        return costs if any(costs.values()) else {}


def _metrics(found: Sequence[WindowStats], state: ObjectiveState | None, plan: Plan) -> Iterator[_Measured]:
    yield "requests", {stats.start_s: float(stats.requests) for stats in found}, None
    yield "p95_ms", {stats.start_s: stats.p95_ms for stats in found if stats.p95_ms > 0}, None
    if state is None or plan is not WEEK:
        return
    tightest = min(state.budgets, key=lambda budget: budget.left)
    if tightest.allowed > 0:
        column = 1 if tightest.kind == "availability" else 3
        spent = {one.start_s: counted_of(one, state.objective)[column] / tightest.allowed for one in found}
        yield "error_budget", spent, BudgetNow(tightest.kind, tightest.left)


def _due(before: Forecast | None, metric: Metric, plan: Plan, now_s: float) -> bool:
    """What models have made stands for some steps, for they take seconds; but what runs out is looked at at each. A
    clock that was set back makes everything due."""
    if before is None:
        return True
    every_s = plan.step_s
    if before.state == "forecast" and metric not in RUNS_OUT:
        every_s *= plan.steps_kept
    return before.made_s // every_s != now_s // every_s


def _until_s(plan: Plan, now_s: float) -> float:
    return (now_s - SETTLED_S) // plan.step_s * plan.step_s
