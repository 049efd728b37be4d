"""A server whose requests are answered by coroutines: for services where convenience counts more than microseconds."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from foregate.http1.deadlines import Deadlines
from foregate.http1.exchange import Exchange
from foregate.http1.headers import encode, find, reason
from foregate.http1.server import ServerConnection, ServerContext
from foregate.kernel import limits
from foregate.kernel.clock import Clock
from foregate.kernel.errors import ERRORS, ForegateError, problem
from foregate.kernel.ids import new_request_id
from foregate.kernel.tasks import report_to_stderr, spawn

_SWEEP_S = 0.25


@dataclass(slots=True)
class Response:
    """`body` is bytes (sent with Content-Length) or an async iterator of bytes (streamed, chunked)."""

    status: int = 200
    body: bytes | AsyncIterator[bytes] = b""
    headers: Sequence[tuple[bytes, bytes]] = ((b"content-type", b"application/json"),)


Handler = Callable[["Request"], Awaitable[Response]]


class Request:
    """One request as a handler sees it. `path` is raw (still percent-encoded), `query` without its "?"."""

    __slots__ = ("_chunks", "_complete", "_exchange", "_gone", "_news", "_size", "method", "path", "query")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.method = exchange.method.decode()
        path, _, query = exchange.target.partition(b"?")
        self.path = path.decode()
        self.query = query.decode()
        self._chunks = exchange.take_body()
        self._size = 0
        self._complete = exchange.complete
        self._gone = ""
        self._news = asyncio.Event()

    def header(self, name: str) -> str | None:
        """The first value of a header, None without it."""
        value = find(self._exchange.headers, name.lower().encode())
        return None if value is None else value.decode("latin-1")

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises ForegateError where the client breaks off."""
        self._exchange.send_continue()
        while True:
            chunks, self._chunks = self._chunks, []
            for chunk in chunks:
                yield chunk
            if self._chunks:
                continue
            if self._gone:
                raise ForegateError(self._gone)
            if self._complete:
                return
            self._exchange.pause_body(False)
            self._news.clear()
            await self._news.wait()

    async def body(self, bytes_max: int = 1_048_576) -> bytes:
        """The whole body. Raises ForegateError("body_too_large") beyond `bytes_max`."""
        parts = []
        size = 0
        async for chunk in self.chunks():
            size += len(chunk)
            if size > bytes_max:
                raise ForegateError("body_too_large")
            parts.append(chunk)
        return b"".join(parts)

    def feed(self, chunks: list[bytes], complete: bool) -> None:
        """Called by the server with more of the body."""
        self._chunks += chunks
        self._complete = complete
        self._news.set()
        if not complete and sum(map(len, self._chunks)) > limits.WRITE_BUFFER_BYTES_HIGH:
            self._exchange.pause_body(True)

    def break_off(self, code: str) -> None:
        """Called by the server when the client has gone."""
        self._gone = code
        self._news.set()


class _Run:
    """One handler's coroutine and its exchange; cancelled when the client leaves."""

    __slots__ = ("_exchange", "_request", "_task", "_writable")

    def __init__(self, exchange: Exchange, handler: Handler) -> None:
        self._exchange = exchange
        self._request = Request(exchange)
        self._writable = asyncio.Event()
        self._writable.set()
        exchange.receiver = self
        self._task = spawn(self._serve(handler), name=f"handler {self._request.path}", on_error=self._failed)

    def request_body(self, chunks: list[bytes], complete: bool) -> None:
        self._request.feed(chunks, complete)

    def request_aborted(self, code: str) -> None:
        self._request.break_off(code)
        self._task.cancel()

    def response_paused(self, paused: bool) -> None:
        if paused:
            self._writable.clear()
        else:
            self._writable.set()

    async def _serve(self, handler: Handler) -> None:
        try:
            response = await handler(self._request)
        except ForegateError as error:
            body = problem(error.spec, new_request_id(), error.detail)
            response = Response(error.spec.status, body, ((b"content-type", b"application/problem+json"),))
        exchange = self._exchange
        lines = b"HTTP/1.1 %d %s\r\n" % (response.status, reason(response.status)) + encode(response.headers)
        if isinstance(response.body, bytes):
            exchange.send_head(response.status, lines, len(response.body))
            exchange.write(response.body)
        else:
            exchange.send_head(response.status, lines, None)
            exchange.flush()
            async for chunk in response.body:
                exchange.write(chunk)
                exchange.flush()
                await self._writable.wait()
        exchange.end()
        exchange.flush()

    def _failed(self, name: str, error: BaseException) -> None:
        """The handler has raised: 500, or a broken connection where an answer had begun."""
        report_to_stderr(name, error)
        exchange = self._exchange
        if exchange.answered:
            return
        if exchange.head_sent:
            exchange.abort()
            return
        body = problem(ERRORS["internal"], new_request_id())
        exchange.send_head(
            500, b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/problem+json\r\n", len(body)
        )
        exchange.write(body)
        exchange.end()
        exchange.flush()


class Server:
    """Serves `handler` on sockets it is given. A client that leaves cancels its handler."""

    def __init__(self, handler: Handler, clock: Clock) -> None:
        self._deadlines = Deadlines(clock, tick_s=_SWEEP_S)
        self._context = ServerContext(lambda exchange: _start(exchange, handler), clock, self._deadlines)
        self._server: asyncio.Server | None = None

    async def start(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        sock: socket.socket | None = None,
        path: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> int:
        """Listen on `sock` or on the Unix socket `path` if one is given; returns the port, 0 for a Unix socket.

        Raises OSError when it is taken.
        """
        loop = asyncio.get_running_loop()
        wait_s = limits.TLS_HANDSHAKE_TIMEOUT_S if tls is not None else None
        if path:
            self._server = await loop.create_unix_server(self._connection, path, ssl=tls, ssl_handshake_timeout=wait_s)
            return 0
        if sock is not None:
            self._server = await loop.create_server(self._connection, sock=sock, ssl=tls, ssl_handshake_timeout=wait_s)
        else:
            self._server = await loop.create_server(self._connection, host, port, ssl=tls, ssl_handshake_timeout=wait_s)
        return int(self._server.sockets[0].getsockname()[1])

    def _connection(self) -> ServerConnection:
        return ServerConnection(self._context)

    async def close(self, timeout_s: float = 0.0) -> None:
        """Stop listening, let running requests end for `timeout_s`, then break them off."""
        if self._server is not None:
            self._server.close()
        await self._context.close(timeout_s)
        self._deadlines.stop()


def _start(exchange: Exchange, handler: Handler) -> None:
    _Run(exchange, handler)
