"""GET /events: the requests themselves, newest first, or as they come with `Accept: text/event-stream`."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from foregate.control.api.shapes import EntityOut, Out
from foregate.control.deps import ControlDeps
from foregate.control.live.hub import Hub
from foregate.control.live.stream import EventStream
from foregate.wire.event import BreakerOutcome, CacheOutcome, LimitOutcome, RequestEvent


class EventOut(Out):
    """One finished request as the client saw it; durations in ms, sizes in bytes of body."""

    time_s: float
    entity: EntityOut
    method: str
    status: int
    latency_ms: float
    upstream_ms: float
    first_byte_ms: float
    request_bytes: int
    response_bytes: int
    key_id: str
    request_id: str
    trace_id: str
    attempts: int
    limit: LimitOutcome
    breaker: BreakerOutcome
    cache: CacheOutcome
    error: str
    target: str


class Events(Out):
    """`skipped` counts what a live tail left out because more came than it shows."""

    now_s: float
    events: list[EventOut]
    skipped: int = 0


def events_router(deps: ControlDeps, hub: Hub) -> APIRouter:
    router = APIRouter(tags=["traffic"])

    @router.get(
        "/events",
        summary="Recent requests",
        response_model=Events,
        responses={200: {"content": {"text/event-stream": {"schema": {"$ref": "#/components/schemas/Events"}}}}},
        description="With `Accept: text/event-stream` new requests come as events named `events`, about every second.",
    )
    async def events(
        limit: Annotated[int, Query(ge=1, le=500)] = 100, accept: Annotated[str, Header()] = "*/*"
    ) -> Events | Response:
        if "text/event-stream" in accept:
            return EventStream(hub, frozenset({"events"}))
        return events_out(await run_in_threadpool(deps.telemetry.recent_events, limit), deps.clock.now())

    return router


def events_out(events: Sequence[RequestEvent], now_s: float, skipped: int = 0) -> Events:
    return Events(now_s=now_s, events=[_out(event) for event in events], skipped=skipped)


def _out(event: RequestEvent) -> EventOut:
    return EventOut(
        time_s=event.time_s,
        entity=EntityOut(service=event.service, route=event.route, environment=event.environment),
        method=event.method,
        status=event.status,
        latency_ms=round(event.latency_ms, 2),
        upstream_ms=round(event.upstream_ms, 2),
        first_byte_ms=round(event.first_byte_ms, 2),
        request_bytes=event.request_bytes,
        response_bytes=event.response_bytes,
        key_id=event.key_id,
        request_id=event.request_id,
        trace_id=event.trace_id,
        attempts=event.attempts,
        limit=event.limit,
        breaker=event.breaker,
        cache=event.cache,
        error=event.error,
        target=event.target,
    )
