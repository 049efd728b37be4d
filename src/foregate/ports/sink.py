"""Where a gateway worker leaves its events."""

from typing import Protocol

from foregate.wire.event import RequestEvent


class EventSink(Protocol):
    """Takes one event at a time, on the request path: it must not block, and what it took survives kill -9."""

    def put(self, event: RequestEvent) -> bool:
        """True when the event is safe; False when it was shed (bounded buffer full), which the sink counts."""
        ...
