"""One subscription as a text/event-stream response."""

import asyncio
from collections.abc import AsyncIterator

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from foregate.control.live.hub import Hub, Message, Subscription

HEARTBEAT_S = 10.0  # a comment after so long a silence: both sides notice a dead connection
RECONNECT_MS = 2_000  # what a browser waits before it comes back


def encode(message: Message) -> bytes:
    """The event on the wire; our JSON never holds a raw line break."""
    return b"event: " + message.name.encode() + b"\ndata: " + message.data + b"\n\n"


class EventStream(StreamingResponse):
    """Lives as long as its client; subscribed exactly that long. Answers `overloaded` when the hub is full."""

    def __init__(self, hub: Hub, names: frozenset[str] | None = None) -> None:
        super().__init__((), media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._hub = hub
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._hub.subscribe(self._names) as subscription:
            self.body_iterator = _body(subscription)
            await super().__call__(scope, receive, send)


async def _body(subscription: Subscription) -> AsyncIterator[bytes]:
    yield f"retry: {RECONNECT_MS}\n\n".encode()
    while True:
        try:
            message = await asyncio.wait_for(subscription.queue.get(), HEARTBEAT_S)
        except TimeoutError:
            yield b": heartbeat\n\n"
            continue
        if message is None:
            return
        yield encode(message)
