"""/journeys: requests on their way through all services, and /service-map: who asks whom."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from foregate.control.api.shapes import Out
from foregate.control.deps import ControlDeps, JourneyAnswers
from foregate.control.wording import time_range
from foregate.kernel.errors import ForegateError
from foregate.wire import journey as wire
from foregate.wire.span import SpanKind
from foregate.wire.survey import KeptBecause

RANGE_S_MAX = 400 * 86_400.0

Org = Annotated[str | None, Query(max_length=200, description="Default: this console's.")]
Range = Annotated[str, Query(alias="range", max_length=20, description="Before `until`, like 15m, 24h or 7d.")]
From = Annotated[str | None, Query(alias="from", max_length=40, description="Unix seconds or RFC 3339.")]
Until = Annotated[str | None, Query(max_length=40, description="Default: now.")]
Named = Annotated[str, Query(max_length=500)]


class Participant(Out):
    """`environment` is "" for whoever was asked and never reported itself."""

    service: str
    environment: str


class JourneySummary(Out):
    """A kept journey. `reason`: why it was kept. `truncated`: spans that were cut. `skew_ms`: the largest correction of
    a clock. Service, environment, route, method and status are those of its first span."""

    trace_id: str
    start_s: float
    duration_ms: float
    service: str
    environment: str
    route: str
    name: str
    method: str
    status: int
    failed: bool
    spans: int
    reason: KeptBecause
    truncated: int
    skew_ms: float
    request_id: str
    participants: list[Participant]


class JourneyList(Out):
    """One page, newest first. `next_cursor` gets the next page; null on the last one. A page may be short before it."""

    now_s: float
    journeys: list[JourneySummary]
    next_cursor: str | None


class SpanRow(Out):
    """A span in the waterfall, parents first: `depth` levels in, `offset_ms` after the beginning.

    `self_ms`: in no child of it. `critical_ms`: on the critical path. `skew_ms`: how much earlier it is shown than its
    own clock said. `missing_parent`: the span that asked was never seen.
    """

    span_id: str
    parent_id: str
    depth: int
    service: str
    environment: str
    region: str
    cloud: str
    instance: str
    source: str
    name: str
    kind: SpanKind
    offset_ms: float
    duration_ms: float
    self_ms: float
    critical_ms: float
    failed: bool
    message: str
    status: int
    peer: str
    skew_ms: float
    missing_parent: bool
    attributes: dict[str, str]
    links: list[str]


class PathPiece(Out):
    """A piece of the critical path: nothing but this span kept the journey from ending earlier."""

    span_id: str
    offset_ms: float
    duration_ms: float


class TimeSpent(Out):
    """Where time went: in a `service`, on the `network` to it, or at an `external` peer. Together the whole journey."""

    kind: str
    service: str
    environment: str
    duration_ms: float
    share: float


class JourneyOut(Out):
    """A journey whole. `logs`: where its log records are. `cycles`: links between spans that could not be."""

    summary: JourneySummary
    rows: list[SpanRow]
    critical_path: list[PathPiece]
    breakdown: list[TimeSpent]
    missing_parents: int
    roots: int
    duplicates: int
    cycles: int
    logs: str


class EdgeOut(Out):
    """Calls of `caller` ("": from outside) to `callee` (environment "": it does not report itself). Durations are the
    caller's where its span is there; quantiles within 1 %."""

    caller: str
    caller_environment: str
    callee: str
    callee_environment: str
    requests: int
    errors: int
    rps: float
    error_rate: float
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


class ServiceMap(Out):
    """Every call between services, also of journeys that were not kept, in whole minutes. The most frequent first."""

    now_s: float
    from_s: float
    until_s: float
    edges: list[EdgeOut]


def journeys_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["journeys"])

    @router.get("/journeys", summary="Kept journeys, newest first")
    def journeys(
        org: Org = None,
        range_: Range = "1h",
        from_: From = None,
        until: Until = None,
        service: Named = "",
        environment: Named = "",
        route: Named = "",
        min_ms: Annotated[float, Query(ge=0, le=1e9, description="At least so long.")] = 0.0,
        failed: Annotated[bool, Query(description="Only those with an error.")] = False,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        cursor: Annotated[str, Query(max_length=200)] = "",
    ) -> JourneyList:
        now_s = deps.clock.now()
        from_s, until_s = time_range(now_s, range_, from_, until, RANGE_S_MAX)
        asked = org or deps.snapshot().org
        ask = wire.JourneyAsk(asked, from_s, until_s, service, environment, route, min_ms, failed)
        page = kept(deps).search(ask, limit, cursor)
        return JourneyList(now_s=now_s, journeys=[_summary(one) for one in page.found], next_cursor=page.cursor or None)

    @router.get("/journeys/{trace_id}", summary="One journey: waterfall, critical path, where the time went")
    def journey(trace_id: Annotated[str, Path(max_length=64)], org: Org = None) -> JourneyOut:
        found = kept(deps).journey(org or deps.snapshot().org, trace_id.lower())
        if found is None:
            raise ForegateError("not_found", "No journey with this trace id is kept: not all are, and not for ever.")
        return _journey(found)

    @router.get("/service-map", summary="Who asks whom: rate, errors and duration of each call")
    def service_map(org: Org = None, range_: Range = "1h", from_: From = None, until: Until = None) -> ServiceMap:
        now_s = deps.clock.now()
        from_s, until_s = time_range(now_s, range_, from_, until, RANGE_S_MAX)
        edges = kept(deps).service_map(org or deps.snapshot().org, from_s, until_s)
        return ServiceMap(now_s=now_s, from_s=from_s, until_s=until_s, edges=[_edge(edge) for edge in edges])

    return router


def kept(deps: ControlDeps) -> JourneyAnswers:
    """The store. Raises ForegateError("not_found") where no journeys are kept."""
    if deps.journeys is None:
        raise ForegateError("not_found", "No journeys are kept here.")
    return deps.journeys


def _summary(one: wire.Summary) -> JourneySummary:
    return JourneySummary(
        trace_id=one.trace_id,
        start_s=one.start_s,
        duration_ms=round(one.duration_ms, 3),
        service=one.service,
        environment=one.environment,
        route=one.route,
        name=one.name,
        method=one.method,
        status=one.http_status,
        failed=one.failed,
        spans=one.spans,
        reason=one.reason,
        truncated=one.truncated,
        skew_ms=round(one.skew_ms, 3),
        request_id=one.request_id,
        participants=[Participant(service=service, environment=where) for service, where in one.participants],
    )


def _journey(found: wire.Journey) -> JourneyOut:
    return JourneyOut(
        summary=_summary(found.summary),
        rows=[_row(row) for row in found.rows],
        critical_path=[
            PathPiece(
                span_id=piece.span_id, offset_ms=round(piece.offset_ms, 3), duration_ms=round(piece.duration_ms, 3)
            )
            for piece in found.critical_path
        ],
        breakdown=[
            TimeSpent(
                kind=part.kind,
                service=part.service,
                environment=part.environment,
                duration_ms=round(part.duration_ms, 3),
                share=round(part.share, 5),
            )
            for part in found.breakdown
        ],
        missing_parents=found.missing_parents,
        roots=found.roots,
        duplicates=found.duplicates,
        cycles=found.cycles,
        logs=f"/api/v1/logs?range=400d&trace_id={found.summary.trace_id}",
    )


def _row(row: wire.Row) -> SpanRow:
    return SpanRow(
        span_id=row.span_id,
        parent_id=row.parent_id,
        depth=row.depth,
        service=row.service,
        environment=row.environment,
        region=row.region,
        cloud=row.cloud,
        instance=row.instance,
        source=row.source,
        name=row.name,
        kind=row.kind,
        offset_ms=round(row.offset_ms, 3),
        duration_ms=round(row.duration_ms, 3),
        self_ms=round(row.self_ms, 3),
        critical_ms=round(row.critical_ms, 3),
        failed=row.failed,
        message=row.message,
        status=row.http_status,
        peer=row.peer,
        skew_ms=round(row.skew_ms, 3),
        missing_parent=row.missing_parent,
        attributes=row.attributes,
        links=list(row.links),
    )


def _edge(edge: wire.Edge) -> EdgeOut:
    return EdgeOut(
        caller=edge.call.caller,
        caller_environment=edge.call.caller_environment,
        callee=edge.call.callee,
        callee_environment=edge.call.callee_environment,
        requests=edge.requests,
        errors=edge.errors,
        rps=round(edge.rps, 4),
        error_rate=round(edge.error_rate, 5),
        mean_ms=round(edge.mean_ms, 3),
        p50_ms=round(edge.p50_ms, 3),
        p95_ms=round(edge.p95_ms, 3),
        p99_ms=round(edge.p99_ms, 3),
    )
