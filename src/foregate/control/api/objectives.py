"""GET /objectives: what is promised of each route, how much of its error budget is left, and for how long."""

from collections.abc import Sequence

from fastapi import APIRouter

from foregate.control.api.risks import AHEAD_S
from foregate.control.api.shapes import EntityOut, Out, RoutePath, ServiceName, entity_out
from foregate.control.deps import ControlDeps
from foregate.wire.entity import Entity
from foregate.wire.forecast import Broken, Forecast
from foregate.wire.objective import Budget, Objective, ObjectiveKind, ObjectiveState

STALE_AFTER_S = 180.0  # it is looked at every minute


class ObjectiveOut(Out):
    """What is promised over `period_days`: a share of requests that do not fail (`availability`), a share
    (`latency_share`) that is answered within `latency_ms`, or both."""

    availability: float | None
    latency_ms: float | None
    latency_share: float
    period_days: int
    requests_min: int
    errors_min: int


class BurnRateOut(Out):
    """How many times faster than sustainable the budget was spent in the last `window_s`; null without requests."""

    window_s: int
    rate: float | None
    requests: float
    bad: float


class BudgetOut(Out):
    """The error budget of one objective, in requests. `left` is a share: 1 untouched, negative overspent.

    `broken_in_s`: when it is spent if bad requests go on as in the last hour; 0 when it is, null when it will not be.
    """

    kind: ObjectiveKind
    target: float
    requests: float
    bad: float
    allowed: float
    left: float
    burn: list[BurnRateOut]
    broken_in_s: float | None


class BrokenOut(Out):
    """When the budget of `kind` is spent by the forecast of the next week: Unix seconds, null where not within it.

    `soonest_s` to `latest_s` is the interval of 80 %.
    """

    kind: str
    made_s: float
    until_s: float
    median_s: float | None
    soonest_s: float | None
    latest_s: float | None


class ObjectiveStateOut(Out):
    """One route's objective. `stale`: nobody has looked lately; `note` says what of the period is not known.

    `forecast`: null where none could be made.
    """

    entity: EntityOut
    time_s: float
    stale: bool
    objective: ObjectiveOut
    budgets: list[BudgetOut]
    days_seen: float
    note: str
    forecast: BrokenOut | None


class Objectives(Out):
    """The most spent first."""

    now_s: float
    objectives: list[ObjectiveStateOut]


def objectives_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["prediction"])

    @router.get("/objectives", summary="Objectives, their error budgets and burn rates")
    def objectives(service: ServiceName = None, route: RoutePath = None) -> Objectives:
        now_s = deps.clock.now()
        states = [one for one in deps.findings.objectives() if _named(one.entity, service, route)]
        spent = {one.entity: one for one in deps.findings.forecasts() if one.metric == "error_budget"} if states else {}
        found = [state_out(state, spent.get(state.entity), now_s) for state in states]
        return Objectives(now_s=now_s, objectives=sorted(found, key=lambda one: _left(one.budgets)))

    return router


def _named(entity: Entity, service: str | None, route: str | None) -> bool:
    return (service is None or entity.service == service) and (route is None or entity.route == route)


def _left(budgets: Sequence[BudgetOut]) -> float:
    return min((budget.left for budget in budgets), default=1.0)


def state_out(state: ObjectiveState, spent: Forecast | None, now_s: float) -> ObjectiveStateOut:
    return ObjectiveStateOut(
        entity=entity_out(state.entity),
        time_s=state.time_s,
        stale=not -AHEAD_S <= now_s - state.time_s <= STALE_AFTER_S,
        objective=_objective_out(state.objective),
        budgets=[_budget_out(budget) for budget in state.budgets],
        days_seen=state.days_seen,
        note=state.note,
        forecast=_broken_out(spent, spent.broken) if spent is not None and spent.broken is not None else None,
    )


def _objective_out(objective: Objective) -> ObjectiveOut:
    return ObjectiveOut(
        availability=objective.availability,
        latency_ms=objective.latency_ms,
        latency_share=objective.latency_share,
        period_days=objective.period_days,
        requests_min=objective.requests_min,
        errors_min=objective.errors_min,
    )


def _budget_out(budget: Budget) -> BudgetOut:
    return BudgetOut(
        kind=budget.kind,
        target=budget.target,
        requests=budget.requests,
        bad=budget.bad,
        allowed=budget.allowed,
        left=budget.left,
        burn=[
            BurnRateOut(window_s=one.window_s, rate=one.rate, requests=one.requests, bad=one.bad) for one in budget.burn
        ],
        broken_in_s=budget.broken_in_s,
    )


def _broken_out(spent: Forecast, broken: Broken) -> BrokenOut:
    last_s = spent.points[-1].time_s + spent.step_s if spent.points else spent.made_s
    return BrokenOut(
        kind=broken.kind,
        made_s=spent.made_s,
        until_s=last_s,
        median_s=broken.median_s,
        soonest_s=broken.soonest_s,
        latest_s=broken.latest_s,
    )
