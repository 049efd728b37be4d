"""The connections to one target: idle ones to take, new ones to make."""

import asyncio
import errno
from typing import Protocol

from foregate.http1.client import ClientConnection
from foregate.http1.deadlines import Deadlines
from foregate.kernel import limits
from foregate.kernel.clock import Clock
from foregate.kernel.tasks import spawn
from foregate.wire.snapshot import Target

# What we have run out of is not the upstream's fault: it must not open its circuit.
_OUR_SHORTAGE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})


class Waiter(Protocol):
    """Who wants a new connection; told exactly one of the two, unless it has cancelled."""

    def connected(self, connection: ClientConnection) -> None: ...

    def connect_failed(self, code: str) -> None: ...


class Pool:
    """Idle connections are taken newest first, so that the surplus of a burst grows old and is closed.

    At most UPSTREAM_IDLE_CONNECTIONS_MAX are kept; those in use are as many as there are requests under way.
    """

    __slots__ = ("_clock", "_connect_timeout_s", "_deadlines", "_emptied", "_host", "_idle", "_live", "_port")

    def __init__(self, target: Target, connect_timeout_s: float, clock: Clock, deadlines: Deadlines) -> None:
        self._host, self._port = target.host, target.port
        self._connect_timeout_s = connect_timeout_s
        self._clock = clock
        self._deadlines = deadlines
        self._idle: list[ClientConnection] = []
        self._live: set[ClientConnection] = set()
        self._emptied = asyncio.Event()

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
        return spawn(self._connect(waiter), name=f"connect {self._host}:{self._port}")

    async def _connect(self, waiter: Waiter) -> None:
        connection = ClientConnection(self, self._clock, self._deadlines)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await loop.create_connection(lambda: connection, self._host, self._port)
        except TimeoutError:
            waiter.connect_failed("upstream_timeout")
            return
        except OSError as error:
            waiter.connect_failed("overloaded" if error.errno in _OUR_SHORTAGE else "upstream_refused")
            return
        except UnicodeError:  # a host name that cannot be looked up
            waiter.connect_failed("upstream_refused")
            return
        except asyncio.CancelledError:
            connection.abandon()  # it may have been made in the very moment the waiter left
            raise
        if connection.usable:
            self._live.add(connection)
            waiter.connected(connection)
        else:
            waiter.connect_failed("upstream_closed")

    def connection_idle(self, connection: ClientConnection) -> None:
        """Called by a connection whose exchange is over."""
        if len(self._idle) < limits.UPSTREAM_IDLE_CONNECTIONS_MAX:
            self._idle.append(connection)
        else:
            connection.close()

    def connection_closed(self, connection: ClientConnection) -> None:
        """Called by a connection that is gone. One that was idle is met, and passed by, in `take`."""
        self._live.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if not self._live:
            self._emptied.set()

    async def close(self) -> None:
        """Close all connections, those in use too."""
        while self._live:
            self._emptied.clear()
            for connection in list(self._live):
                connection.abandon()
            await self._emptied.wait()
