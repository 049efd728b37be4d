"""GET /requests and /points: single items, newest first; and what the points of a metric were over time."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from foregate.control.api.points import MetricOut, MetricSeriesOut, metrics_of, series_of
from foregate.control.api.shapes import Out
from foregate.control.deps import ControlDeps, ItemsQuery
from foregate.control.turns import Check, GaveUp, Turns
from foregate.control.wording import filters, seconds, time_range
from foregate.kernel.errors import ForegateError
from foregate.ports.archive import PAGE_ITEMS_MAX, Page
from foregate.wire.ask import Filter

RANGE_S_MAX = 400 * 86_400.0
POINTS_MAX = 50_000  # looked at for one answer: `query_too_large`
NAMES_LOOK_MAX = 20_000  # of the newest points, for the names
_GONE = 499

RangeText = Annotated[str, Query(max_length=20, description="How far back: 15m, 24h, 7d.")]
FromText = Annotated[str | None, Query(alias="from", max_length=40, description="Unix seconds or RFC 3339.")]
UntilText = Annotated[str | None, Query(max_length=40, description="Unix seconds or RFC 3339; now without it.")]
FilterText = Annotated[str, Query(max_length=4_000, description="`service=payments;status>=500`")]
OrgName = Annotated[str | None, Query(max_length=200, description="This console's without it.")]


class RequestsOut(Out):
    """Each with the fields of a request event; newest first. `cursor` asks for the next page; "" at the end.

    The first page has also what came a moment ago, and may so be a little longer than `limit`.
    """

    now_s: float
    from_s: float
    until_s: float
    requests: list[dict[str, Any]]
    cursor: str


class PointsOut(Out):
    """Without a `name` the metrics there are, else the series of that one."""

    now_s: float
    from_s: float
    until_s: float
    step_s: int
    metrics: list[MetricOut]
    series: list[MetricSeriesOut]


def requests_router(deps: ControlDeps, turns: Turns) -> APIRouter:
    router = APIRouter(tags=["query"])

    @router.get("/requests", summary="Single requests", response_model=RequestsOut)
    async def requests(
        request: Request,
        range: RangeText = "1h",  # noqa: A002 - the parameter's name
        from_: FromText = None,
        until: UntilText = None,
        filter: FilterText = "",  # noqa: A002 - the parameter's name
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
        cursor: Annotated[str, Query(max_length=400)] = "",
        org: OrgName = None,
    ) -> RequestsOut | Response:
        items, now_s = items_of(deps), deps.clock.now()
        from_s, until_s = time_range(now_s, range, from_, until, RANGE_S_MAX)
        given, whose = filters(filter), org or deps.snapshot().org

        def found(check: Check) -> Page:
            check()
            return items.requests(whose, from_s, until_s, given, limit, cursor)

        try:
            page = await turns.run(request, found)
        except GaveUp:
            return Response(status_code=_GONE)
        rows = [dict(row) for row in page.rows]
        return RequestsOut(now_s=now_s, from_s=from_s, until_s=until_s, requests=rows, cursor=page.cursor)

    @router.get("/points", summary="Metrics that were sent", response_model=PointsOut)
    async def points(
        request: Request,
        name: Annotated[str, Query(max_length=255, description="Without it the names there are.")] = "",
        range: RangeText = "1h",  # noqa: A002 - the parameter's name
        from_: FromText = None,
        until: UntilText = None,
        step: Annotated[str, Query(max_length=20)] = "60s",
        filter: FilterText = "",  # noqa: A002 - the parameter's name
        org: OrgName = None,
    ) -> PointsOut | Response:
        items, now_s, step_s = items_of(deps), deps.clock.now(), max(1, seconds("step", step))
        from_s, until_s = time_range(now_s, range, from_, until, RANGE_S_MAX)
        whose = org or deps.snapshot().org
        given = (*filters(filter), *([Filter("name", "eq", (name,))] if name else []))

        def found(check: Check) -> PointsOut:
            rows = _points(items, whose, from_s, until_s, given, check, only_newest=not name)
            return PointsOut(
                now_s=now_s,
                from_s=from_s,
                until_s=until_s,
                step_s=step_s,
                metrics=metrics_of(rows),
                series=series_of(rows, step_s) if name else [],
            )

        try:
            return await turns.run(request, found)
        except GaveUp:
            return Response(status_code=_GONE)

    return router


def items_of(deps: ControlDeps) -> ItemsQuery:
    """Raises ForegateError("not_found") where none are kept."""
    if deps.items is None:
        raise ForegateError("not_found", "No single items are kept here.")
    return deps.items


def _points(
    items: ItemsQuery,
    org: str,
    from_s: float,
    until_s: float,
    given: Sequence[Filter],
    check: Check,
    *,
    only_newest: bool,
) -> list[Mapping[str, Any]]:
    """Newest first. Raises ForegateError("query_too_large")."""
    rows: list[Mapping[str, Any]] = []
    cursor = ""
    while True:
        check()
        page = items.scan("points", org, from_s, until_s, given, PAGE_ITEMS_MAX, cursor)
        rows += page.rows
        if not page.cursor or (only_newest and len(rows) >= NAMES_LOOK_MAX):
            return rows
        if len(rows) > POINTS_MAX:
            raise ForegateError(
                "query_too_large",
                f"This metric has more than {POINTS_MAX:,} points in the range: ask for a shorter one, or filter by "
                "service, environment or instance.",
            )
        cursor = page.cursor
