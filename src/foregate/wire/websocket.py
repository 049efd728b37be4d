"""The settings of WebSockets."""

from typing import Annotated

from msgspec import Meta

from foregate.wire.origins import problem_with
from foregate.wire.settings import Seconds, Settings

_MIB = 1 << 20
Bound = Annotated[int, Meta(ge=125, le=1 << 40)]
Rate = Annotated[float, Meta(gt=0, le=1e12)]
Subprotocol = Annotated[str, Meta(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$")]


class WebSocket(Settings, frozen=True):
    """Let clients open WebSockets (RFC 6455). Without this their wish is ignored, and the service sees a plain GET.

    Larger frames and messages close the WebSocket (1009). A client that sends faster than its rates is not read for as
    long as that takes; each has a second's worth in advance.
    """

    # of pages that may; none: only those of the host that is asked. Clients that are no browsers send no origin.
    origins: tuple[str, ...] = ()
    subprotocols: tuple[Subprotocol, ...] = ()  # none: whatever the client offers
    message_bytes_max: Bound = 16 * _MIB  # as it travels: of a compressed one the compressed
    frame_bytes_max: Bound = 16 * _MIB
    idle_timeout_s: Seconds = 60.0  # without a byte from either side; with pings, from any one of them
    ping_s: Annotated[float, Meta(ge=0, le=86_400)] = 0.0  # how often we ask both for a sign of life; 0: never
    messages_per_s_max: Rate | None = None  # from the client
    bytes_per_s_max: Rate | None = None  # likewise
    connections_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000  # open in one worker, of all routes

    def problem(self) -> str | None:
        for origin in self.origins:
            if (problem := problem_with(origin)) is not None:
                return problem
        if 0 < self.idle_timeout_s <= self.ping_s:
            return f"ping_s ({self.ping_s:g}) is not shorter than idle_timeout_s ({self.idle_timeout_s:g})"
        return None
