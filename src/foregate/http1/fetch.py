"""An HTTP/1.1 client for coroutines: keep-alive, streaming both ways. For services, traffic generators and tests."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from foregate.http1.asking import UpstreamExchange
from foregate.http1.client import ClientConnection
from foregate.http1.deadlines import Deadlines
from foregate.http1.headers import HeaderList, encode, find
from foregate.http1.tls import client_context
from foregate.kernel import limits
from foregate.kernel.clock import Clock
from foregate.kernel.errors import ForegateError

_SWEEP_S = 0.05
_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"})


class Address(NamedTuple):
    """Where a URL's server is: a host and a port, or with port 0 the path of a Unix socket."""

    host: str
    port: int
    tls: bool = False


def locate(url: str) -> tuple[Address, str, str]:
    """Address, authority and request target of `http://`, `https://`, and `http+unix://%2Frun%2Fa.sock/path`.

    Raises ValueError.
    """
    parts = urlsplit(url)
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    if parts.scheme == "http+unix" and parts.netloc:
        return Address(unquote(parts.netloc), 0), "localhost", target
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        raise ValueError(f"not an http://, https:// or http+unix:// URL: {url}")
    tls = parts.scheme == "https"
    return Address(parts.hostname, parts.port or (443 if tls else 80), tls), parts.netloc, target


class ClientResponse:
    """An answer whose head has come. Read it to its end, or `abandon()` it: else its connection stays in use."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: HeaderList = []
        self._connection: UpstreamExchange | None = None
        self._chunks: list[bytes] = []
        self._complete = False
        self._failure = ""
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    def header(self, name: str) -> str | None:
        """The first value of a header, None without it."""
        value = find(self.headers, name.lower().encode())
        return None if value is None else value.decode("latin-1")

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises ForegateError (`upstream_truncated`, `upstream_timeout`) where it breaks off."""
        while True:
            chunks, self._chunks = self._chunks, []
            for chunk in chunks:
                yield chunk
            if self._chunks:
                continue
            if self._failure:
                raise ForegateError(self._failure)
            if self._complete:
                return
            if self._connection is not None:
                self._connection.pause_response(False)
            await self._wait()

    async def read(self) -> bytes:
        """The whole body."""
        return b"".join([chunk async for chunk in self.chunks()])

    def abandon(self) -> None:
        """Leave: the server sees the connection close."""
        if self._connection is not None and not self._complete:
            self._connection.abandon(self)
            self._connection = None
            self._complete = True

    async def head(self) -> None:
        """Wait for the head. Raises ForegateError."""
        while not self.status:
            if self._failure:
                raise ForegateError(self._failure)
            await self._wait()

    async def send_body(self, connection: UpstreamExchange, body: AsyncIterator[bytes]) -> None:
        """Stream a request's body, as fast as the server takes it."""
        async for chunk in body:
            if self._failure or self._complete:
                return
            connection.write([chunk], False)
            await self._writable.wait()
        connection.write([], True)

    async def _wait(self) -> None:
        self._news.clear()
        await self._news.wait()

    # --- ResponseReceiver ------------------------------------------------------------------------------------

    def response_head(self, connection: UpstreamExchange, chunks: list[bytes], complete: bool) -> None:
        self.status, self.headers, self._connection = connection.status, connection.headers, connection
        self.response_body(chunks, complete)

    def response_body(self, chunks: list[bytes], complete: bool) -> None:
        self._chunks += chunks
        self._complete = complete
        self._news.set()
        if complete:
            self._connection = None  # it may serve another exchange by now
        elif self._connection is not None and sum(map(len, self._chunks)) > limits.WRITE_BUFFER_BYTES_HIGH:
            self._connection.pause_response(True)

    def response_failed(self, code: str) -> None:
        self._failure = code
        self._connection = None
        self._writable.set()
        self._news.set()

    def request_paused(self, paused: bool) -> None:
        if paused:
            self._writable.clear()
        else:
            self._writable.set()


class Client:
    """Keeps at most UPSTREAM_IDLE_CONNECTIONS_MAX idle connections per address; beyond it they are closed.

    `tls` is for https:// URLs; without it the system's certificate authorities are trusted.
    """

    def __init__(self, clock: Clock, *, tls: ssl.SSLContext | None = None) -> None:
        self._clock = clock
        self._tls = tls
        self._deadlines = Deadlines(clock, tick_s=_SWEEP_S)
        self._idle: dict[Address, list[ClientConnection]] = {}
        self._addresses: dict[ClientConnection, Address] = {}
        self._emptied = asyncio.Event()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[bytes, bytes]] = (),
        body: bytes | AsyncIterator[bytes] = b"",
        timeout_s: float = 30.0,
    ) -> ClientResponse:
        """Send a request and wait for the answer's head.

        `timeout_s` bounds the connect, the wait for the head and every silence. Raises ForegateError:
        `upstream_refused`, `upstream_closed`, `upstream_timeout`, `upstream_malformed`. A keep-alive connection that
        turns out dead is replaced once, for idempotent methods with a body in memory.
        """
        address, authority, target = locate(url)
        head = _head(method, target, authority, headers, body)
        replayable = isinstance(body, bytes) and method in _IDEMPOTENT
        while True:
            connection = self._take(address) or await self._connect(address, timeout_s)
            reused = connection.reused
            response = ClientResponse()
            try:
                await self._exchange(connection, response, method, head, body, timeout_s)
            except ForegateError as error:
                if not (reused and replayable and not connection.answered and error.spec.code == "upstream_closed"):
                    raise
            else:
                return response

    async def _exchange(
        self,
        connection: ClientConnection,
        response: ClientResponse,
        method: str,
        head: bytes,
        body: bytes | AsyncIterator[bytes],
        timeout_s: float,
    ) -> None:
        whole = isinstance(body, bytes)
        data = head + body if isinstance(body, bytes) else head
        connection.send(response, data, timeout_s, head_only=method == "HEAD", complete=whole, chunked=not whole)
        try:
            if not isinstance(body, bytes):
                await response.send_body(connection, body)
            await response.head()
        except asyncio.CancelledError:
            connection.abandon(response)
            raise

    def _take(self, address: Address) -> ClientConnection | None:
        idle = self._idle.get(address)
        while idle:
            connection = idle.pop()
            if connection.usable:
                return connection
        return None

    async def _connect(self, address: Address, timeout_s: float) -> ClientConnection:
        connection = ClientConnection(self, self._clock, self._deadlines)
        try:
            await asyncio.wait_for(self._open(connection, address), timeout_s)
        except TimeoutError:
            raise ForegateError("upstream_timeout", internal=f"connecting to {address}") from None
        except OSError as error:
            raise ForegateError("upstream_refused", internal=str(error)) from error
        if connection.transport is not None:  # else it was lost before we heard that it is open
            self._addresses[connection] = address
        return connection

    async def _open(self, connection: ClientConnection, address: Address) -> None:
        loop = asyncio.get_running_loop()
        if not address.port:
            await loop.create_unix_connection(lambda: connection, address.host)
        elif address.tls:
            self._tls = self._tls or client_context()
            await loop.create_connection(lambda: connection, address.host, address.port, ssl=self._tls)
        else:
            await loop.create_connection(lambda: connection, address.host, address.port)

    def connection_idle(self, connection: ClientConnection) -> None:
        """Called by a connection whose exchange is over."""
        idle = self._idle.setdefault(self._addresses[connection], [])
        if len(idle) < limits.UPSTREAM_IDLE_CONNECTIONS_MAX:
            idle.append(connection)
        else:
            connection.close()

    def connection_closed(self, connection: ClientConnection) -> None:
        """Called by a connection that is gone."""
        address = self._addresses.pop(connection, None)
        if not self._addresses:
            self._emptied.set()
        idle = self._idle.get(address) if address is not None else None
        if idle and connection in idle:
            idle.remove(connection)

    async def close(self) -> None:
        """Close all connections, those in use too."""
        while self._addresses:
            self._emptied.clear()
            for connection in list(self._addresses):
                connection.break_off()
            await self._emptied.wait()
        self._deadlines.stop()


def _head(
    method: str,
    target: str,
    authority: str,
    headers: Sequence[tuple[bytes, bytes]],
    body: bytes | AsyncIterator[bytes],
) -> bytes:
    lines = f"{method} {target} HTTP/1.1\r\nhost: {authority}\r\n".encode()
    if not isinstance(body, bytes):
        framing = b"transfer-encoding: chunked\r\n"
    elif body or method in ("POST", "PUT", "PATCH"):
        framing = b"content-length: %d\r\n" % len(body)
    else:
        framing = b""
    return lines + encode(headers) + framing + b"\r\n"
