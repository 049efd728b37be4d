"""The connections to one target: idle ones to take, new ones to make, over TCP, TLS or a Unix socket."""

import asyncio
import errno
import ssl
from typing import NamedTuple, Protocol

from foregate.gateway.failure_log import AGAIN_S
from foregate.gateway.policies.policy import Log
from foregate.gateway.upstream.addresses import Address, Addresses, Resolver
from foregate.http1.client import ClientConnection
from foregate.http1.deadlines import Deadlines
from foregate.kernel import limits
from foregate.kernel.clock import Clock
from foregate.kernel.tasks import spawn
from foregate.wire.snapshot import Target

# What we have run out of is not the upstream's fault: it must not open its circuit.
_OUR_SHORTAGE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
_ADDRESS_SHARE_MIN_S = 0.05  # each address gets its share of the connect time limit, but at least this


class Waiter(Protocol):
    """Who wants a new connection; told exactly one of the two, unless it has cancelled."""

    def connected(self, connection: ClientConnection) -> None: ...

    def connect_failed(self, code: str) -> None: ...


class PoolMeans(NamedTuple):
    """What all pools of a worker work with."""

    clock: Clock
    deadlines: Deadlines
    log: Log
    resolve: Resolver


class PoolSettings(NamedTuple):
    """What of a service's settings concerns connections. `tls`: None for plain TCP."""

    connect_timeout_s: float
    connections_max: int
    dns_s: float
    tls: ssl.SSLContext | None
    server_name: str


class Pool:
    """Idle connections are taken newest first, so that the surplus of a burst grows old and is closed.

    At most UPSTREAM_IDLE_CONNECTIONS_MAX are kept idle; a finished one beyond it is closed. At most `connections_max`
    exist at a time; a further one is not made, and who wants it is told `overloaded`.
    """

    __slots__ = (
        "_addresses",
        "_closed",
        "_connecting",
        "_emptied",
        "_idle",
        "_live",
        "_means",
        "_parting",
        "_quiet_until_s",
        "_retired",
        "_settings",
        "_target",
        "_untold",
    )

    def __init__(self, target: Target, settings: PoolSettings, means: PoolMeans) -> None:
        self._target = target
        self._settings = settings
        self._means = means
        self._idle: list[ClientConnection] = []
        self._live: dict[ClientConnection, Address | None] = {}
        self._parting: set[ClientConnection] = set()  # not to be used again: their address or their settings are gone
        self._connecting = 0
        self._quiet_until_s, self._untold = 0.0, 0
        self._retired = self._closed = False
        self._emptied = asyncio.Event()
        self._addresses: Addresses | None = None
        if not target.socket:
            self._addresses = Addresses(
                target.host,
                target.port,
                settings.dns_s,
                means.clock,
                means.resolve,
                self._part_from,
                lambda why: means.log("name_lookup_failed", {"target": target.url, "reason": why}),
            )

    # --- for requests ----------------------------------------------------------------------------------------

    def take(self) -> ClientConnection | None:
        """An idle connection, or None."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if connection.usable:
                return connection
        return None

    def connect(self, waiter: Waiter) -> "asyncio.Task[None]":
        """Make a new connection for `waiter`. Cancel the task to stop waiting."""
        return spawn(self._connect(waiter), name=f"connect {self._target.url}")

    async def _connect(self, waiter: Waiter) -> None:
        made = await self.open()
        if isinstance(made, str):
            waiter.connect_failed(made)
        else:
            waiter.connected(made)

    async def open(self) -> ClientConnection | str:
        """A new connection of this pool, or the code of the error that says why there is none."""
        if self._closed or len(self._live) + self._connecting >= self._settings.connections_max:
            return "overloaded"
        self._connecting += 1
        try:
            async with asyncio.timeout(self._settings.connect_timeout_s):
                return await self._open_anywhere()
        except TimeoutError:
            return "upstream_timeout"
        finally:
            self._connecting -= 1

    # --- making connections ----------------------------------------------------------------------------------

    async def _open_anywhere(self) -> ClientConnection | str:
        """Try the target's addresses until one takes the connection."""
        if self._addresses is None:
            return await self._open_at(None, self._settings.connect_timeout_s)
        tried = await self._addresses.candidates()
        code = await self._open_in_order(tried)
        if isinstance(code, str) and code != "overloaded" and (more := await self._addresses.others_than(tried)):
            return await self._open_in_order(more)
        return code

    async def _open_in_order(self, addresses: list[Address]) -> ClientConnection | str:
        assert self._addresses is not None  # noqa: S101 - a Unix socket has no addresses to try
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._settings.connect_timeout_s
        code: ClientConnection | str = "upstream_refused"
        for index, address in enumerate(addresses):
            share_s = (until_s - loop.time()) / (len(addresses) - index)
            code = await self._open_at(address, max(_ADDRESS_SHARE_MIN_S, share_s))
            if not isinstance(code, str):
                self._addresses.worked_at(address)
                return code
            if code == "overloaded":
                return code
            self._addresses.failed_at(address)
        return code

    def _tell_of(self, error: ssl.SSLError) -> None:
        """Every attempt may fail so: after the first it is told at most so often, with how many there were."""
        now_s = self._means.clock.monotonic()
        if now_s < self._quiet_until_s:
            self._untold += 1
            return
        facts: dict[str, object] = {"target": self._target.url, "reason": str(error), "more": self._untold}
        self._means.log("upstream_tls_failed", facts)
        self._quiet_until_s, self._untold = now_s + AGAIN_S, 0

    async def _open_at(self, address: Address | None, timeout_s: float) -> ClientConnection | str:
        """One try."""
        connection = ClientConnection(self, self._means.clock, self._means.deadlines)
        try:
            async with asyncio.timeout(timeout_s):
                await self._dial(connection, address)
        except TimeoutError:
            connection.abandon(None)
            return "upstream_timeout"
        except ssl.SSLError as error:
            self._tell_of(error)
            return "upstream_tls"
        except OSError as error:
            return "overloaded" if error.errno in _OUR_SHORTAGE else "upstream_refused"
        except UnicodeError:  # a host name that cannot be looked up
            return "upstream_refused"
        except asyncio.CancelledError:
            connection.abandon(None)  # it may have been made in the very moment the waiter left
            raise
        if not connection.usable:
            return "upstream_closed"
        self._live[connection] = address
        if self._closed:
            connection.abandon(None)
            return "overloaded"
        return connection

    async def _dial(self, connection: ClientConnection, address: Address | None) -> None:
        loop = asyncio.get_running_loop()
        tls = self._settings.tls
        server_name = self._settings.server_name if tls is not None else None
        if address is None:
            path = self._target.socket
            await loop.create_unix_connection(lambda: connection, path, ssl=tls, server_hostname=server_name)
        else:
            await loop.create_connection(lambda: connection, *address, ssl=tls, server_hostname=server_name)

    # --- ConnectionOwner -------------------------------------------------------------------------------------

    def connection_idle(self, connection: ClientConnection) -> None:
        """Called by a connection whose exchange is over."""
        if len(self._idle) >= limits.UPSTREAM_IDLE_CONNECTIONS_MAX or self._retired or connection in self._parting:
            connection.close()
        else:
            self._idle.append(connection)

    def connection_closed(self, connection: ClientConnection) -> None:
        """Called by a connection that is gone. One that was idle must not be taken any more."""
        self._live.pop(connection, None)
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
        return self._addresses.known if self._addresses is not None else ()

    def settle(self, settings: PoolSettings) -> None:
        """Go on with other settings. Connections that were made under another TLS are used up, not used again."""
        before, self._settings = self._settings, settings
        if self._addresses is not None:
            self._addresses.fresh_s = settings.dns_s
        if (before.tls, before.server_name) != (settings.tls, settings.server_name):
            self._part(list(self._live))

    def tick(self) -> None:
        """Called every second or so: a name whose connections are in use is looked up again in the background."""
        if self._addresses is not None and self._live and self._addresses.stale:
            self._addresses.look_up()

    def _part_from(self, gone: frozenset[Address]) -> None:
        """The name no longer leads to these addresses."""
        facts: dict[str, object] = {"target": self._target.url, "gone": sorted(host for host, _ in gone)}
        self._means.log("upstream_addresses_changed", facts)
        self._part([connection for connection, address in self._live.items() if address in gone])

    def _part(self, connections: list[ClientConnection]) -> None:
        self._parting.update(connections)
        for connection in [idle for idle in self._idle if idle in self._parting]:
            self._idle.remove(connection)
            connection.close()

    def retire(self) -> None:
        """The target is gone from the configuration: close what is idle; what is under way ends, then closes."""
        self._retired = True
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

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
