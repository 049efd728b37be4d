"""GET /forecast: what traffic, latency, error budget and cost will probably be."""

from fastapi import APIRouter

from foregate.control.api.risks import AHEAD_S
from foregate.control.api.shapes import EntityOut, Out, RoutePath, ServiceName, entity_out
from foregate.control.deps import ControlDeps
from foregate.kernel.errors import ForegateError
from foregate.wire.entity import Entity
from foregate.wire.forecast import Backtest, Broken, Forecast, ForecastPoint, ForecastState, Metric

STEPS_STALE = 12.0  # so many steps without a new one: the forecaster is silent


class ForecastPointOut(Out):
    """The step that begins at `t`: the median, and the intervals that hold it in 80 and in 95 of 100 cases."""

    t: float
    median: float
    low80: float
    high80: float
    low95: float
    high95: float


class BacktestOut(Out):
    """How a model did on the series' own past. `mase` below 1: better than seasonal naive within the past.

    `held80` and `held95`: the share of values that lay in its intervals; null where that could not be measured.
    """

    model: str
    mase: float | None
    mae: float
    pinball: float
    held80: float | None
    held95: float | None


class RunsOutOut(Out):
    """When the error budget of `kind`, or the route's scarcest quota, is spent by this forecast: Unix seconds, null
    where not within it, or not before the quota is given anew. `soonest_s` to `latest_s`: the interval of 80 %."""

    kind: str
    median_s: float | None
    soonest_s: float | None
    latest_s: float | None


class ForecastOut(Out):
    """One metric in steps of `step_s`: requests per step, `p95_ms`, the share of the error budget or of the quota that
    a step spends, cost per step. `model` is the one that did best of `backtest`, over `origins` moments of the past.

    Of all routes together service and route are "". `note` says what it lacks; `stale`: none was made lately.
    """

    entity: EntityOut
    metric: Metric
    step_s: int
    state: ForecastState
    made_s: float
    stale: bool
    model: str
    points: list[ForecastPointOut]
    backtest: list[BacktestOut]
    origins: int
    days_seen: float
    days_needed: float
    note: str
    runs_out: RunsOutOut | None


class Forecasts(Out):
    """Those of the busiest routes. Each metric by the quarter of an hour for a day, and by the hour for a week."""

    now_s: float
    forecasts: list[ForecastOut]


def forecast_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["prediction"])

    @router.get("/forecast", summary="Forecasts with their intervals, and how well they have done")
    def forecast(service: ServiceName = None, route: RoutePath = None, metric: Metric | None = None) -> Forecasts:
        now_s = deps.clock.now()
        found = [
            one
            for one in deps.findings.forecasts()
            if _named(one.entity, service, route) and (metric is None or one.metric == metric)
        ]
        if not found and (service is not None or route is not None):
            raise ForegateError("not_found", "Nothing is forecast for this route: it has no traffic, or too little.")
        return Forecasts(now_s=now_s, forecasts=[forecast_out(one, now_s) for one in found])

    return router


def _named(entity: Entity, service: str | None, route: str | None) -> bool:
    return (service is None or entity.service == service) and (route is None or entity.route == route)


def forecast_out(one: Forecast, now_s: float) -> ForecastOut:
    return ForecastOut(
        entity=entity_out(one.entity),
        metric=one.metric,
        step_s=one.step_s,
        state=one.state,
        made_s=one.made_s,
        stale=not -AHEAD_S <= now_s - one.made_s <= STEPS_STALE * one.step_s,
        model=one.model,
        points=[_point_out(point) for point in one.points],
        backtest=[_backtest_out(row) for row in one.backtest],
        origins=one.origins,
        days_seen=one.days_seen,
        days_needed=one.days_needed,
        note=one.note,
        runs_out=_runs_out(one.broken) if one.broken is not None else None,
    )


def _runs_out(broken: Broken) -> RunsOutOut:
    return RunsOutOut(kind=broken.kind, median_s=broken.median_s, soonest_s=broken.soonest_s, latest_s=broken.latest_s)


def _point_out(point: ForecastPoint) -> ForecastPointOut:
    return ForecastPointOut(
        t=point.time_s,
        median=point.median,
        low80=point.low80,
        high80=point.high80,
        low95=point.low95,
        high95=point.high95,
    )


def _backtest_out(row: Backtest) -> BacktestOut:
    return BacktestOut(
        model=row.model, mase=row.mase, mae=row.mae, pinball=row.pinball, held80=row.held80, held95=row.held95
    )
