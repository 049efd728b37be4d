"""The connections to one target: those with room for a request, and new ones to make.

HTTP/1.1 has one request at a time on a connection, HTTP/2 many: what is taken here is an `UpstreamExchange` either way.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from foregate.gateway.upstream.addresses import Address
from foregate.gateway.upstream.agreeing import Agreeing
from foregate.gateway.upstream.dialling import Dialler, PoolMeans, PoolSettings
from foregate.http1.asking import UpstreamExchange
from foregate.http1.client import ClientConnection
from foregate.http2.client import UpstreamConnection
from foregate.kernel import limits
from foregate.kernel.tasks import spawn
from foregate.wire.snapshot import Target

__all__ = ["Pool", "PoolMeans", "PoolSettings", "Waiter"]

Connection = ClientConnection | UpstreamConnection


class Waiter(Protocol):
    """Who wants a new connection; told exactly one of the two, unless it has cancelled."""

    def connected(self, connection: UpstreamExchange) -> None: ...

    def connect_failed(self, code: str) -> None: ...


class Pool:
    """Idle connections are taken newest first, so that the surplus of a burst grows old and is closed; those of HTTP/2
    oldest first, as long as they have room, for the same end.

    At most UPSTREAM_IDLE_CONNECTIONS_MAX of HTTP/1.1 are kept idle; a finished one beyond it is closed. At most
    `connections_max` exist at a time; a further one is not made, and who wants it is told `overloaded`.
    """

    __slots__ = (
        "_closed",
        "_connecting",
        "_dialler",
        "_dialling",
        "_emptied",
        "_idle",
        "_live",
        "_lost_by",
        "_means",
        "_parting",
        "_retired",
        "_settings",
        "_shared",
        "_target",
    )

    def __init__(self, target: Target, settings: PoolSettings, means: PoolMeans) -> None:
        self._target = target
        self._settings = settings
        self._means = means
        self._idle: list[ClientConnection] = []
        self._shared: list[UpstreamConnection] = []  # of HTTP/2, that take requests
        self._live: dict[Connection, Address | None] = {}
        self._parting: set[ClientConnection] = set()  # not to be used again: their address or their settings are gone
        self._connecting = 0
        self._dialling: asyncio.Task[str] | None = None  # on behalf of all who wait for a place on HTTP/2
        self._lost_by = "upstream_closed"  # the last one of HTTP/2
        self._retired = self._closed = False
        self._emptied = asyncio.Event()
        self._dialler: Dialler[ClientConnection | UpstreamConnection | Agreeing] = Dialler(
            target, settings, means, self._part_from
        )

    # --- for requests ----------------------------------------------------------------------------------------

    def take(self) -> UpstreamExchange | None:
        """An idle connection or a place on one, or None."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.usable:
                return connection
        return self._place() if self._shared else None

    def _place(self) -> UpstreamExchange | None:
        for connection in self._shared:
            if connection.free:
                return connection.reserve()
        return None

    def connect(self, waiter: Waiter) -> asyncio.Task[None]:
        """Make a new connection for `waiter`. Cancel the task to stop waiting."""
        return spawn(self._connect(waiter), name=f"connect {self._target.url}")

    async def _connect(self, waiter: Waiter) -> None:
        alone = self._settings.protocol == "http/1.1" or self._retired
        made = await (self.open() if alone else self._find_place())
        if isinstance(made, str):
            waiter.connect_failed(made)
        else:
            waiter.connected(made)

    async def _find_place(self) -> UpstreamExchange | str:
        """A place on HTTP/2: many wait for one connection, rather than each making its own."""
        while True:
            if (found := self.take()) is not None:
                return found
            if any(type(connection) is ClientConnection for connection in self._live):
                return await self.open()  # it was left to the upstream, and that speaks HTTP/1.1
            if self._dialling is None:
                self._dialling = spawn(self._dial(), name=f"connect {self._target.url}")
            if code := await asyncio.shield(self._dialling):  # it may serve others when this one leaves
                return code
            if not self._stands():
                return self._lost_by  # it was gone as soon as it was made

    def _stands(self) -> bool:
        """Whether there is a connection that may take requests, full or not."""
        if any(connection.usable for connection in self._shared):
            return True
        return any(type(connection) is ClientConnection for connection in self._live)

    async def _dial(self) -> str:
        """Make a connection for whoever takes it. Returns "", or why there is none."""
        try:
            made = await self._make()
        finally:
            self._dialling = None
        if isinstance(made, str):
            return made
        if isinstance(made, ClientConnection):
            self.connection_idle(made)
        else:
            self._share(made)
        return ""

    async def open(self) -> UpstreamExchange | str:
        """A new connection of this pool, or the code of the error that says why there is none."""
        made = await self._make()
        if not isinstance(made, UpstreamConnection):
            return made
        exchange = made.reserve()
        self._share(made)
        return exchange

    def _share(self, connection: UpstreamConnection) -> None:
        if self._retired:
            connection.retire()
        elif connection.usable:
            self._shared.append(connection)

    # --- making connections ----------------------------------------------------------------------------------

    async def _make(self) -> Connection | str:
        if self._closed or len(self._live) + self._connecting >= self._settings.connections_max:
            return "overloaded"
        self._connecting += 1
        try:
            dialled = await self._dialler.open(self._protocol)
        finally:
            self._connecting -= 1
        if isinstance(dialled, str):
            return dialled
        made, address = dialled
        connection = made.chosen if isinstance(made, Agreeing) else made
        if connection is None:
            self._dialler.tell_of("the service speaks TLS, but no HTTP/2 (by ALPN)")
            return "upstream_tls"
        return self._keep(connection, address)

    def _keep(self, connection: Connection, address: Address | None) -> Connection | str:
        self._live[connection] = address
        if self._closed:  # while it was being made
            connection.abandon(None)
            return "overloaded"
        return connection

    def _protocol(self) -> ClientConnection | UpstreamConnection | Agreeing:
        """What is to be connected."""
        settings = self._settings
        if settings.protocol == "http/1.1" or (settings.protocol == "auto" and settings.tls is None):
            return self._http1()
        return self._http2() if settings.tls is None else Agreeing(self._http1, self._http2, settings.protocol == "h2")

    def _http1(self) -> ClientConnection:
        return ClientConnection(self, self._means.clock, self._means.deadlines)

    def _http2(self) -> UpstreamConnection:
        scheme = b"http" if self._settings.tls is None else b"https"
        return UpstreamConnection(self, self._means.clock, self._means.deadlines, scheme, self._settings.streams_max)

    # --- who owns connections --------------------------------------------------------------------------------

    def connection_idle(self, connection: ClientConnection) -> None:
        """Called by a connection whose exchange is over."""
        if len(self._idle) >= limits.UPSTREAM_IDLE_CONNECTIONS_MAX or self._retired or connection in self._parting:
            connection.close()
        else:
            self._idle.append(connection)

    def connection_closed(self, connection: Connection) -> None:
        """Called by a connection that is gone. One that was idle must not be taken any more."""
        self._live.pop(connection, None)
        if isinstance(connection, UpstreamConnection):
            self._lost_by = connection.lost_by
            if connection in self._shared:
                self._shared.remove(connection)
        else:
            self._parting.discard(connection)
            if connection in self._idle:
                self._idle.remove(connection)
        if not self._live:
            self._emptied.set()

    # --- life ------------------------------------------------------------------------------------------------

    @property
    def connections(self) -> int:
        """How many there are, those being made included."""
        return len(self._live) + self._connecting

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where the target's name leads, as far as it is known."""
        return self._dialler.addresses.known if self._dialler.addresses is not None else ()

    def settle(self, settings: PoolSettings) -> None:
        """Go on with other settings. Connections that were made under another TLS or protocol are used up, not used
        again."""
        before, self._settings = self._settings, settings
        self._dialler.settle(settings)
        if _spoken(before) != _spoken(settings):
            self._part(list(self._live))

    def tick(self) -> None:
        """Called every second or so: a name whose connections are in use is looked up again in the background."""
        addresses = self._dialler.addresses
        if addresses is not None and self._live and addresses.stale:
            addresses.look_up()

    def _part_from(self, gone: frozenset[Address]) -> None:
        """The name no longer leads to these addresses."""
        facts: dict[str, object] = {"target": self._target.url, "gone": sorted(host for host, _ in gone)}
        self._means.log("upstream_addresses_changed", facts)
        self._part([connection for connection, address in self._live.items() if address in gone])

    def _part(self, connections: list[Connection]) -> None:
        for connection in connections:
            if isinstance(connection, UpstreamConnection):
                self._retire(connection)
            else:
                self._parting.add(connection)
        for idle in [idle for idle in self._idle if idle in self._parting]:
            self._idle.remove(idle)
            idle.close()

    def _retire(self, connection: UpstreamConnection) -> None:
        if connection in self._shared:
            self._shared.remove(connection)
        connection.retire()

    def retire(self) -> None:
        """The target is gone from the configuration: close what is idle; what is under way ends, then closes."""
        self._retired = True
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        for shared in list(self._shared):
            self._retire(shared)

    def stay(self) -> None:
        """The target is back before it was forgotten."""
        self._retired = False

    async def close(self) -> None:
        """Close all connections, those in use too."""
        self._closed = self._retired = True
        while self._live:
            self._emptied.clear()
            for connection in list(self._live):
                connection.break_off()
            await self._emptied.wait()


def _spoken(settings: PoolSettings) -> tuple[object, ...]:
    return settings.tls, settings.server_name, settings.protocol, settings.streams_max
