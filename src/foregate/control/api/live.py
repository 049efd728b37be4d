"""GET /live: everything the page shows, as it changes."""

from fastapi import APIRouter
from fastapi.responses import Response

from foregate.control.live.hub import Hub
from foregate.control.live.stream import EventStream

_DESCRIPTION = """Server-sent events, each named after the resource whose JSON it carries: `status`, `metrics` (the last
minute in panes of 10 s), `risks`, `alerts`, `anomalies`, `faults` (only with a lab), `events` (new requests). The
newest of each comes at once, then about every second. `dropped` and `closing` say why a stream ends; a comment comes
after 10 s of silence."""


def live_router(hub: Hub) -> APIRouter:
    router = APIRouter(tags=["live"])

    @router.get(
        "/live",
        summary="Live stream for the console",
        description=_DESCRIPTION,
        response_class=Response,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def live() -> Response:
        return EventStream(hub)

    return router
