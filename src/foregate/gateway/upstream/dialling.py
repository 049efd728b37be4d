"""Making connections to one target: over TCP, TLS or a Unix socket, at whichever of its addresses takes them."""

import asyncio
import errno
import ssl
from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar, cast

from foregate.gateway.failure_log import AGAIN_S
from foregate.gateway.policies.policy import Log
from foregate.gateway.upstream.addresses import Address, Addresses, Resolver
from foregate.http1.deadlines import Deadlines
from foregate.kernel.clock import Clock
from foregate.wire.snapshot import Target, UpstreamProtocol

# What we have run out of is not the upstream's fault: it must not open its circuit.
_OUR_SHORTAGE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
_ADDRESS_SHARE_MIN_S = 0.05  # each address gets its share of the connect time limit, but at least this


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
    protocol: UpstreamProtocol = "http/1.1"
    streams_max: int = 100  # of one HTTP/2 connection


class Dialled(Protocol):
    """What is made, an `asyncio.Protocol`: `usable` once it is connected and as long as it may serve."""

    @property
    def usable(self) -> bool: ...

    def abandon(self, receiver: None) -> None: ...


_Made = TypeVar("_Made", bound=Dialled)


class Dialler(Generic[_Made]):
    """Makes connections of one target, one `open` each; codes of `kernel.errors` say why there is none."""

    __slots__ = ("_means", "_quiet_until_s", "_target", "_untold", "addresses", "settings")

    def __init__(self, target: Target, settings: PoolSettings, means: PoolMeans, part: Callable[..., None]) -> None:
        """`part(addresses)` is called when the target's name leads there no longer."""
        self._target = target
        self._means = means
        self._quiet_until_s, self._untold = 0.0, 0
        self.settings = settings
        self.addresses: Addresses | None = None
        if not target.socket:
            self.addresses = Addresses(
                target.host,
                target.port,
                settings.dns_s,
                means.clock,
                means.resolve,
                part,
                lambda why: means.log("name_lookup_failed", {"target": target.url, "reason": why}),
            )

    def settle(self, settings: PoolSettings) -> None:
        """Go on with other settings."""
        self.settings = settings
        if self.addresses is not None:
            self.addresses.fresh_s = settings.dns_s

    async def open(self, make: Callable[[], _Made]) -> tuple[_Made, Address | None] | str:
        """Try the target's addresses until one takes the connection, within the connect time limit."""
        try:
            async with asyncio.timeout(self.settings.connect_timeout_s):
                return await self._open_anywhere(make)
        except TimeoutError:
            return "upstream_timeout"

    async def _open_anywhere(self, make: Callable[[], _Made]) -> tuple[_Made, Address | None] | str:
        if self.addresses is None:
            return await self._open_at(make, None, self.settings.connect_timeout_s)
        tried = await self.addresses.candidates()
        made = await self._open_in_order(make, tried)
        if isinstance(made, str) and made != "overloaded" and (more := await self.addresses.others_than(tried)):
            return await self._open_in_order(make, more)
        return made

    async def _open_in_order(
        self, make: Callable[[], _Made], addresses: list[Address]
    ) -> tuple[_Made, Address | None] | str:
        assert self.addresses is not None  # noqa: S101 - a Unix socket has no addresses to try
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self.settings.connect_timeout_s
        made: tuple[_Made, Address | None] | str = "upstream_refused"
        for index, address in enumerate(addresses):
            share_s = (until_s - loop.time()) / (len(addresses) - index)
            made = await self._open_at(make, address, max(_ADDRESS_SHARE_MIN_S, share_s))
            if not isinstance(made, str):
                self.addresses.worked_at(address)
                return made
            if made == "overloaded":
                return made
            self.addresses.failed_at(address)
        return made

    async def _open_at(
        self, make: Callable[[], _Made], address: Address | None, timeout_s: float
    ) -> tuple[_Made, Address | None] | str:
        """One try."""
        connection = make()
        try:
            async with asyncio.timeout(timeout_s):
                await self._dial(connection, address)
        except TimeoutError:
            connection.abandon(None)
            return "upstream_timeout"
        except ssl.SSLError as error:
            self.tell_of(str(error))
            return "upstream_tls"
        except OSError as error:
            return "overloaded" if error.errno in _OUR_SHORTAGE else "upstream_refused"
        except UnicodeError:  # a host name that cannot be looked up
            return "upstream_refused"
        except asyncio.CancelledError:
            connection.abandon(None)  # it may have been made in the very moment the waiter left
            raise
        return (connection, address) if connection.usable else "upstream_closed"

    async def _dial(self, connection: _Made, address: Address | None) -> None:
        loop = asyncio.get_running_loop()
        protocol = cast(asyncio.Protocol, connection)
        tls = self.settings.tls
        server_name = self.settings.server_name if tls is not None else None
        if address is None:
            path = self._target.socket
            await loop.create_unix_connection(lambda: protocol, path, ssl=tls, server_hostname=server_name)
        else:
            await loop.create_connection(lambda: protocol, *address, ssl=tls, server_hostname=server_name)

    def tell_of(self, reason: str) -> None:
        """Every attempt may fail so: after the first it is told at most so often, with how many there were."""
        now_s = self._means.clock.monotonic()
        if now_s < self._quiet_until_s:
            self._untold += 1
            return
        facts: dict[str, object] = {"target": self._target.url, "reason": reason, "more": self._untold}
        self._means.log("upstream_tls_failed", facts)
        self._quiet_until_s, self._untold = now_s + AGAIN_S, 0
