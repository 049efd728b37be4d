"""GET /metrics: traffic over time, per route and altogether."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from foregate.control.api.shapes import EntityOut, Out, RangeS, RoutePath, ServiceName, entity_out
from foregate.control.deps import ControlDeps
from foregate.kernel.errors import ForegateError
from foregate.wire.entity import Entity
from foregate.wire.window import MetricsAnswer, WindowStats

SpanS = Literal[10, 60, 300, 900]
POINTS_MAX = 2_000  # per series; more is refused with invalid_parameter
SUMMARY_S = 60.0  # what "now" means for the live summary


class Point(Out):
    """One window. Rates are shares from 0 to 1; quantiles in ms from a mergeable sketch (1 % relative error).

    `rps` of the window that is still open counts only the time it has been open. `complete` tells it apart.
    """

    t: float
    requests: int
    rps: float
    error_rate: float
    timeout_rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    errors: int
    timeouts: int
    client_errors: int
    limited: int
    broken: int
    retries: int
    inflight_max: int
    complete: bool


class Series(Out):
    entity: EntityOut
    points: list[Point]


class Metrics(Out):
    """`total` merges all series per window, `summary` merges everything: sketches are merged, quantiles never averaged.

    `summary` covers the whole range; in the live stream it covers the last minute.
    """

    now_s: float
    from_s: float
    span_s: int
    series: list[Series]
    total: list[Point]
    summary: Point


def metrics_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["traffic"])

    @router.get("/metrics", summary="Traffic over time")
    def metrics(
        range_s: RangeS = 900,
        span_s: Annotated[int, Query(description="Length of one window: 10, 60, 300 or 900 seconds.")] = 10,
        service: ServiceName = None,
        route: RoutePath = None,
    ) -> Metrics:
        check_span(range_s, span_s)
        now_s = deps.clock.now()
        from_s = now_s - range_s
        answer = deps.telemetry.metrics(span_s=span_s, from_s=from_s, until_s=now_s + 1, service=service, route=route)
        return metrics_out(answer, now_s, from_s, span_s)

    return router


def check_span(range_s: int, span_s: int) -> None:
    """Refuse a window length that is not kept, or one that would give too many points."""
    if span_s not in (10, 60, 300, 900):
        raise ForegateError(
            "invalid_parameter", "span_s: windows are kept with a length of 10, 60, 300 or 900 seconds."
        )
    if range_s / span_s > POINTS_MAX:
        raise ForegateError(
            "invalid_parameter",
            f"range_s: {range_s // span_s} windows are more than {POINTS_MAX}; ask for a longer span_s.",
        )


def metrics_out(answer: MetricsAnswer, now_s: float, from_s: float, span_s: int) -> Metrics:
    """The answer as the API gives it."""
    return Metrics(
        now_s=now_s,
        from_s=from_s,
        span_s=span_s,
        series=_series(answer.series, now_s),
        total=[point(window, now_s) for window in answer.total],
        summary=point(answer.summary, now_s),
    )


def _series(series: Mapping[Entity, Sequence[WindowStats]], now_s: float) -> list[Series]:
    return [
        Series(entity=entity_out(entity), points=[point(window, now_s) for window in windows])
        for entity, windows in sorted(series.items())
    ]


def point(window: WindowStats, now_s: float) -> Point:
    """One window; one that is still open is as long as it has been open so far."""
    seconds = min(float(window.span_s), max(1.0, now_s - window.start_s))
    return Point(
        t=window.start_s,
        requests=window.requests,
        rps=round(window.requests / seconds, 3),
        error_rate=round(window.error_rate, 5),
        timeout_rate=round(window.timeout_rate, 5),
        p50_ms=round(window.p50_ms, 2),
        p95_ms=round(window.p95_ms, 2),
        p99_ms=round(window.p99_ms, 2),
        errors=window.errors,
        timeouts=window.timeouts,
        client_errors=window.client_errors,
        limited=window.limited,
        broken=window.broken,
        retries=window.retries,
        inflight_max=window.inflight_max,
        complete=window.start_s + window.span_s <= now_s,
    )
