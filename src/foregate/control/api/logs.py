"""/logs: what services have written, found by words, by the request or trace it belongs to, by time."""

from typing import Annotated

from fastapi import APIRouter, Query

from foregate.control.api.journeys import RANGE_S_MAX, From, Named, Org, Range, Until
from foregate.control.api.shapes import Out
from foregate.control.deps import ControlDeps
from foregate.control.wording import time_range
from foregate.kernel.errors import ForegateError
from foregate.ports.logs import LogAsk
from foregate.wire.log import LogRecord


class LogOut(Out):
    """One record. `severity`: 1 to 24 as in OpenTelemetry (9 info, 13 warning, 17 error), 0 where nobody said.

    `journey`: where the journey is that it belongs to, if that is kept; null without a trace.
    """

    time_s: float
    severity: int
    service: str
    environment: str
    region: str
    cloud: str
    instance: str
    body: str
    trace_id: str
    span_id: str
    request_id: str
    key_id: str
    attributes: dict[str, str]
    journey: str | None


class LogList(Out):
    """One page, newest first. `next_cursor` gets the next page; null on the last one."""

    now_s: float
    logs: list[LogOut]
    next_cursor: str | None


def logs_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["logs"])

    @router.get(
        "/logs",
        summary="Search log records",
        description='`q`: words that must all be there; "in quotes" next to one another; with * as a beginning.',
    )
    def logs(
        q: Annotated[str, Query(max_length=1_000)] = "",
        org: Org = None,
        range_: Range = "1h",
        from_: From = None,
        until: Until = None,
        service: Named = "",
        environment: Named = "",
        severity_min: Annotated[int, Query(ge=0, le=24)] = 0,
        trace_id: Named = "",
        request_id: Named = "",
        key_id: Named = "",
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
        cursor: Annotated[str, Query(max_length=200)] = "",
    ) -> LogList:
        if deps.logs is None:
            raise ForegateError("not_found", "No log records are kept here.")
        now_s = deps.clock.now()
        from_s, until_s = time_range(now_s, range_, from_, until, RANGE_S_MAX)
        asked = org or deps.snapshot().org
        ask = LogAsk(
            asked, from_s, until_s, q, service, environment, severity_min, trace_id.lower(), request_id, key_id
        )
        page = deps.logs.search(ask, limit, cursor)
        return LogList(now_s=now_s, logs=[_out(record) for record in page.found], next_cursor=page.cursor or None)

    return router


def _out(record: LogRecord) -> LogOut:
    return LogOut(
        time_s=record.time_ns / 1e9,
        severity=record.severity,
        service=record.service,
        environment=record.environment,
        region=record.region,
        cloud=record.cloud,
        instance=record.instance,
        body=record.body,
        trace_id=record.trace_id,
        span_id=record.span_id,
        request_id=record.request_id,
        key_id=record.key_id,
        attributes=record.attributes,
        journey=f"/api/v1/journeys/{record.trace_id}" if record.trace_id else None,
    )
