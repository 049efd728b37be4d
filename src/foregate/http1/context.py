"""What the connections of one server share: the application, the limits, who is connected."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from foregate.http1.deadlines import Deadlines
from foregate.kernel import limits
from foregate.kernel.clock import Clock

if TYPE_CHECKING:
    from foregate.http1.server import ServerConnection


class Connected(Protocol):
    """One client's connection, whatever is spoken on it."""

    @property
    def peer(self) -> str: ...

    def drain(self) -> None:
        """The server begins to go: no request is to be expected after those that are on their way."""
        ...

    def close_if_idle(self) -> None: ...

    def break_off(self) -> None: ...


@dataclass(slots=True)
class ServerContext:
    """What the connections of one server share.

    `application` gets each exchange once its head has come and its turn is there; it must set `exchange.receiver` or
    answer at once. `refused(code)` hears of every message that was refused for its form, and of every connection that
    was turned away (`overloaded`).

    A connection beyond `connections_max`, or beyond `connections_per_address_max` from one address (0: no bound; all
    Unix peers are one address), is answered 503 and closed; over TLS it is closed before the handshake. Contexts that
    are given the same `connections`, `addresses` and `emptied` share these bounds. With `requests_per_connection_max`
    (0: no bound) the last answer closes its connection. A request body slower than `body_bytes_per_s_min` (0: no
    bound) over a whole window of `body_rate_window_s` gets 408; the time in which we ourselves did not read does not
    count, nor the time after the answer has begun. `underscores` is for who answers: whether fields with "_" in their
    name are to be sent on. `asks_clients`: TLS asks them for certificates.

    `http2(context, transport, connection, data)` takes over a transport whose client begins with the preface of HTTP/2
    (`data` is what has come): it is the transport's protocol from then on, in the place of `connection`, and gives its
    own exchanges to `application`. Where it is None the preface is refused. At most `streams_max` requests at a time on
    one such connection.
    """

    application: Callable[[Any], None]  # an Exchange of ours, or one that `http2` makes
    clock: Clock
    deadlines: Deadlines
    refused: Callable[[str], None] = lambda code: None
    header_timeout_s: float = limits.HEADER_TIMEOUT_S
    idle_timeout_s: float = limits.IDLE_TIMEOUT_S
    body_bytes_max: int = limits.BODY_BYTES_MAX
    body_bytes_per_s_min: float = limits.BODY_BYTES_PER_S_MIN
    body_rate_window_s: float = limits.BODY_RATE_WINDOW_S
    connections_max: int = limits.CLIENT_CONNECTIONS_MAX
    connections_per_address_max: int = 0
    requests_per_connection_max: int = 0
    underscores: bool = True
    http2: Callable[[ServerContext, asyncio.Transport, Connected, bytes], None] | None = None
    streams_max: int = limits.H2_STREAMS_MAX
    asks_clients: bool = False
    draining: bool = False
    connections: set[Connected] = field(default_factory=set)
    turned_away: set[Connected] = field(default_factory=set)  # those that are being told
    handshakes: dict[ServerConnection, asyncio.Task[None]] = field(default_factory=dict)  # TLS, the oldest first
    emptied: asyncio.Event = field(default_factory=asyncio.Event)  # set whenever the last connection has gone
    addresses: dict[str, int] = field(default_factory=dict)  # connections of each, kept only where they are bounded

    def admit(self, connection: Connected) -> bool:
        """Count a new connection in, unless a bound is reached; then it must leave."""
        if len(self.connections) >= self.connections_max:
            return False
        if self.connections_per_address_max:
            already = self.addresses.get(connection.peer, 0)
            if already >= self.connections_per_address_max:
                return False
            self.addresses[connection.peer] = already + 1
        self.connections.add(connection)
        return True

    def succeed(self, connection: Connected, successor: Connected) -> None:
        """A connection goes on as another one, which takes its place in all bounds."""
        self.connections.remove(connection)
        self.connections.add(successor)

    def dismiss(self, connection: Connected) -> None:
        """A connection has gone."""
        self.turned_away.discard(connection)
        if connection in self.connections:
            self.connections.remove(connection)
            if connection.peer in self.addresses:
                self.addresses[connection.peer] -= 1
                if self.addresses[connection.peer] <= 0:
                    del self.addresses[connection.peer]
        if not self.connections:
            self.emptied.set()

    def drain(self) -> None:
        """From now on every answer closes its connection. Idle ones stay: a request may be on its way on them."""
        self.draining = True
        for connection in list(self.connections):
            connection.drain()

    def close_idle(self) -> None:
        """Close the connections on which nothing is under way, those in their TLS handshake too."""
        for handshake in list(self.handshakes.values()):
            handshake.cancel()
        for connection in list(self.connections):
            connection.close_if_idle()

    async def close(self, timeout_s: float) -> None:
        """Drain for at most `timeout_s`, then break off what is left and wait BREAK_OFF_S at most for it to go.

        Idle connections close after DRAIN_LINGER_S, at most half of the time: a client that has just sent a request is
        answered, with `connection: close`, and need not guess whether it was served.
        """
        until_s = asyncio.get_running_loop().time() + timeout_s
        self.drain()
        await self._until_empty(min(limits.DRAIN_LINGER_S, timeout_s / 2.0))
        self.close_idle()
        await self._until_empty(until_s - asyncio.get_running_loop().time())
        for connection in [*self.connections, *self.turned_away]:
            connection.break_off()
        await self._until_empty(limits.BREAK_OFF_S)

    async def _until_empty(self, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + timeout_s
        while self.connections and (left_s := until_s - loop.time()) > 0:
            self.emptied.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.emptied.wait(), left_s)
