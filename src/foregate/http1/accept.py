"""Accepting connections by ourselves: the bounds come before TLS, and where descriptors run out there is a pause.

The loop's own way makes a connection only once its TLS handshake is over, so that silent ones escape every bound; and
where the process has no descriptor left it resets whoever comes.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from typing import Any

from foregate.http1.context import ServerContext
from foregate.http1.introduction import introduced
from foregate.http1.proxy_protocol import BadIntroduction
from foregate.http1.server import ServerConnection
from foregate.kernel import limits
from foregate.kernel.tasks import report_to_stderr, spawn

_AT_ONCE_MAX = 64  # accepted in a row, before others get their turn
_PAUSE_S = 0.1  # without a descriptor: who comes waits in the kernel's queue for so long, then we look again
_GONE = frozenset({errno.ECONNABORTED, errno.EPROTO, errno.EPERM})  # of the one that is next, not of ours
_LAST_WORD_S = 0.5  # after `stop`: load balancers send their header at once, so it is there already
_HANDSHAKE_S = limits.TLS_HANDSHAKE_TIMEOUT_S


def _left(name: str, error: BaseException) -> None:
    """A connection could not be made of what was accepted."""
    if not isinstance(error, OSError):  # else it has left already
        report_to_stderr(name, error)


class Acceptor:
    """One listening socket (bound; TCP or Unix). Begins at once, inside a running loop.

    With `tls`, a connection is counted into `context` before its handshake: beyond a bound of connections it is closed
    without a word (a 503 would need the handshake), and counted `overloaded`. At most TLS_HANDSHAKES_MAX are under way,
    and no more than a quarter of `connections_max`; for one more the oldest is dropped. One that takes longer than
    `handshake_timeout_s` is cut off: `request_timeout`. Another `tls` may be put in its place for connections to come.
    `paused(reason)` is called whenever accepting pauses because
    something of this machine has run out.

    With `introduces` every connection begins with a PROXY header, from peers alone of which it says that they may speak
    for others (all Unix peers may). One that does not, or not within `handshake_timeout_s`, is closed and counted.
    """

    def __init__(
        self,
        sock: socket.socket,
        context: ServerContext,
        *,
        tls: ssl.SSLContext | None = None,
        handshake_timeout_s: float = _HANDSHAKE_S,
        paused: Callable[[str], None] = lambda reason: None,
        introduces: Callable[[str], bool] | None = None,
    ) -> None:
        self._sock = sock
        self._context = context
        self.tls = tls
        self._handshake_timeout_s = handshake_timeout_s
        self._paused = paused
        self._introduces = introduces
        self._awaited: dict[asyncio.Task[bool], None] = {}  # PROXY headers, the oldest first
        self._loop = asyncio.get_running_loop()
        self._stopping = False
        self._at_once = 1
        self._resuming: asyncio.TimerHandle | None = None
        self._taking: set[asyncio.Task[Any]] = set()  # accepted, and not yet a connection: a turn or two of the loop
        sock.setblocking(False)
        sock.listen(limits.LISTEN_BACKLOG)
        self._listen()

    def stop(self) -> None:
        """Take who has been kept waiting, then accept nobody any more."""
        if self._stopping:
            return
        self._stopping = True
        self._loop.remove_reader(self._sock)
        if self._resuming is not None:
            self._resuming.cancel()
        for _ in range(limits.LISTEN_BACKLOG):  # closing the socket would reset them
            if not self._accept():
                break
        self._sock.close()
        self._loop.call_later(_LAST_WORD_S, self._wait_no_longer)

    async def settled(self) -> None:
        """Until all that was accepted is a connection, which its context knows, or has not said whom it speaks for."""
        while settling := self._taking | self._awaited.keys():
            await asyncio.wait(settling)

    def _wait_no_longer(self) -> None:
        for task in list(self._awaited):
            task.cancel()

    def _listen(self) -> None:
        self._resuming = None
        self._loop.add_reader(self._sock, self._accept_some)

    def _accept_some(self) -> None:
        """Somebody waits. Usually it is one: to ask for a second one in vain would cost as much as taking the first."""
        for _ in range(self._at_once):
            if not self._accept():
                self._at_once = 1
                return
        self._at_once = min(2 * self._at_once, _AT_ONCE_MAX)

    def _accept(self) -> bool:
        """Take one connection. False when there is none, or nothing left to take it with."""
        try:
            sock, name = self._sock.accept()
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in _GONE:
                return True
            self._pause(error)
            return False
        sock.setblocking(False)
        connection = ServerConnection(self._context)
        connection.peer = str(name[0]) if isinstance(name, tuple) else ""
        if self._introduces is None:
            self._take(connection, sock)
        else:
            self._introduce(connection, sock, self._introduces)
        return True

    def _take(self, connection: ServerConnection, sock: socket.socket) -> None:
        """Make it a connection."""
        if self.tls is None:
            task = spawn(self._loop.connect_accepted_socket(lambda: connection, sock), name="accept", on_error=_left)
            self._taking.add(task)
            task.add_done_callback(self._taking.discard)
        else:
            self._secure(connection, sock, self.tls)

    def _pause(self, error: OSError) -> None:
        """No descriptor or memory: leave them in the kernel's queue for a moment."""
        if self._resuming is None and not self._stopping:
            self._loop.remove_reader(self._sock)
            self._resuming = self._loop.call_later(_PAUSE_S, self._listen)
            self._paused(error.strerror or str(error))

    # --- PROXY protocol --------------------------------------------------------------------------------------

    def _introduce(self, connection: ServerConnection, sock: socket.socket, trusts: Callable[[str], bool]) -> None:
        """Hear whom the peer speaks for, if it may speak for others. It is counted as a connection only after that."""
        if connection.peer and not trusts(connection.peer):
            self._context.refused("forbidden")
            sock.close()
            return
        awaited = self._awaited
        if len(awaited) >= min(limits.INTRODUCTIONS_MAX, max(1, self._context.connections_max // 4)):
            oldest = next(iter(awaited))  # a load balancer sends it at once; this one does not
            del awaited[oldest]
            oldest.cancel()
            self._context.refused("overloaded")
        task = spawn(self._introduction(connection, sock), name="PROXY header")
        awaited[task] = None
        task.add_done_callback(lambda task: self._introduced(task, connection, sock))

    async def _introduction(self, connection: ServerConnection, sock: socket.socket) -> bool:
        """True when it is known who the client is."""
        try:
            async with asyncio.timeout(self._handshake_timeout_s):
                connection.peer = await introduced(sock) or connection.peer
        except TimeoutError:
            self._context.refused("request_timeout")
        except BadIntroduction:
            self._context.refused("proxy_header_invalid")
        except OSError:
            pass  # it has left; load balancers look so whether we are there
        else:
            return True
        return False

    def _introduced(self, task: asyncio.Task[bool], connection: ServerConnection, sock: socket.socket) -> None:
        self._awaited.pop(task, None)
        if not task.cancelled() and task.exception() is None and task.result():
            self._take(connection, sock)
        else:
            sock.close()

    # --- TLS -------------------------------------------------------------------------------------------------

    def _secure(self, connection: ServerConnection, sock: socket.socket, tls: ssl.SSLContext) -> None:
        context = self._context
        if not context.admit(connection):
            context.refused("overloaded")
            sock.close()
            return
        handshakes = context.handshakes
        if len(handshakes) >= min(
            limits.TLS_HANDSHAKES_MAX, max(1, context.connections_max // 4)
        ):  # whoever means it is done in a moment: the oldest does not
            handshakes.pop(next(iter(handshakes))).cancel()
            context.refused("overloaded")
        handshakes[connection] = task = spawn(self._handshake(connection, sock, tls), name="TLS handshake")
        task.add_done_callback(lambda _: self._shaken(connection, sock))  # also of one that is dropped before it began

    def _shaken(self, connection: ServerConnection, sock: socket.socket) -> None:
        self._context.handshakes.pop(connection, None)
        if connection.transport is None:  # it has never become a connection, so nobody else counts it out
            self._context.dismiss(connection)
            sock.close()  # a transport that has it closes it later, by itself

    async def _handshake(self, connection: ServerConnection, sock: socket.socket, tls: ssl.SSLContext) -> None:
        context = self._context
        try:
            await self._loop.connect_accepted_socket(
                lambda: connection, sock, ssl=tls, ssl_handshake_timeout=self._handshake_timeout_s
            )
        except ConnectionAbortedError:
            context.refused("request_timeout")
        except OSError:
            pass  # it has left, or speaks something else: no message of ours would reach it
