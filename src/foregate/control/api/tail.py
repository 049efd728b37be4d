"""GET /tail: requests as they come, those that pass a filter, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from foregate.control.api.requests import FilterText, items_of
from foregate.control.deps import ControlDeps, FilteredTail
from foregate.control.live.hub import Hub
from foregate.control.live.stream import HEARTBEAT_S, RECONNECT_MS
from foregate.control.wording import filters
from foregate.kernel.clock import Clock
from foregate.kernel.errors import ForegateError

TAILS_MAX = 50  # of a control process; one more is refused with `overloaded`
LOOK_S = 0.5
_DESCRIPTION = """Server-sent events. `requests`: a JSON array of request events, oldest first, about twice a second
when there are new ones; `skipped`: `{"events": n, "batches": m}`, how many that passed the filter are left out because
more came than are shown (200 at a time), and how many batches of the bus were passed over because this client reads too
slowly; `closing`: the console stops. A comment comes after 10 s of silence. With `Last-Event-ID` it goes on after that
message, as far as the bus still has what follows."""


class Tails:
    """How many there are. Belongs to one event loop."""

    def __init__(self) -> None:
        self.open = 0


class TailStream(StreamingResponse):
    """Lives as long as its client. It reads the bus only when the client has taken what was read before."""

    def __init__(self, tails: Tails, tail: FilteredTail, hub: Hub, clock: Clock) -> None:
        super().__init__((), media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._tails = tails
        self._body = _body(tail, hub, clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._tails.open >= TAILS_MAX:
            raise ForegateError("overloaded", f"The console serves at most {TAILS_MAX} live tails.")
        self._tails.open += 1
        try:
            self.body_iterator = self._body
            await super().__call__(scope, receive, send)
        finally:
            self._tails.open -= 1


def tail_router(deps: ControlDeps, hub: Hub) -> APIRouter:
    router = APIRouter(tags=["query"])
    tails = Tails()

    @router.get(
        "/tail",
        summary="Requests as they come",
        description=_DESCRIPTION,
        response_class=Response,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def tail(
        filter: FilterText = "",  # noqa: A002 - the parameter's name
        org: Annotated[str | None, Query(max_length=200, description="This console's without it; * for all.")] = None,
        last_event_id: Annotated[str, Header(max_length=4_000)] = "",
    ) -> Response:
        items, given = items_of(deps), filters(filter)
        opened = await run_in_threadpool(items.tail, org or deps.snapshot().org, given, last_event_id)
        return TailStream(tails, opened, hub, deps.clock)

    return router


async def _body(tail: FilteredTail, hub: Hub, clock: Clock) -> AsyncIterator[bytes]:
    yield f"retry: {RECONNECT_MS}\n\n".encode()
    said_s = clock.monotonic()
    while not hub.closing.is_set():
        found = await run_in_threadpool(tail.read)
        if found.events or found.skipped or found.skipped_batches:
            said_s = clock.monotonic()
        if found.skipped or found.skipped_batches:
            skipped = {"events": found.skipped, "batches": found.skipped_batches}
            yield b"event: skipped\ndata: " + msgspec.json.encode(skipped) + b"\n\n"
        if found.events:
            rows = msgspec.json.encode([msgspec.structs.asdict(event) for event in found.events])
            yield b"id: " + found.place.encode() + b"\nevent: requests\ndata: " + rows + b"\n\n"
        elif clock.monotonic() - said_s >= HEARTBEAT_S:
            said_s = clock.monotonic()
            yield b": heartbeat\n\n"
        try:
            await asyncio.wait_for(hub.closing.wait(), LOOK_S)
        except TimeoutError:
            continue
    yield b'event: closing\ndata: {"reason":"the console is stopping"}\n\n'
