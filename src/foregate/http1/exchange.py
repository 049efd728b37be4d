"""One request and the answer to it, on a server connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from foregate.http1 import trailers as trailer_fields
from foregate.http1.client_certificate import ClientCertificate, shown
from foregate.http1.date import date_line
from foregate.http1.headers import HeaderList
from foregate.http1.trailers import Fields
from foregate.http1.tunnel import ServerTunnel, TunnelReceiver

if TYPE_CHECKING:
    from foregate.http1.head import RequestHead
    from foregate.http1.server import ServerConnection
    from foregate.wire.event import Protocol as Spoken

_BODILESS = frozenset({204, 304})
_CRLF = b"\r\n"


class RequestReceiver(Protocol):
    """Who answers an exchange: it sets itself as `exchange.receiver` and is then told what happens."""

    def request_body(self, chunks: list[bytes], complete: bool) -> None:
        """The next pieces of the request's body (perhaps none), and whether it is complete now."""
        ...

    def request_aborted(self, code: str) -> None:
        """The request ended before its time; the last call of all. `client_closed`, or why the engine refused it."""
        ...

    def response_paused(self, paused: bool) -> None:
        """The client reads slower than the answer comes (True), or has caught up (False)."""
        ...


class Exchange:
    """The application reads the request here and writes the answer, in order: `send_head`, `write`…, `end`.

    What is written waits until `flush()`; inside the engine's own calls (application, request_body) it flushes itself.
    `target` is path and query, or `*`. `take_body()` gives what of the body had come together with the head, `complete`
    whether that is all.
    `head` and `headers` may be those of earlier exchanges with the same fields, so nobody changes them.
    `answered` is True after `end()` or `abort()`. `body_bytes_max` may be lowered by the application; a larger body is
    refused with 413. `trailers` are the fields after a chunked request body, without those that may not be forwarded;
    they are there once it is complete.
    """

    protocol: Spoken = "http/1.1"  # spoken with the client
    __slots__ = (
        "_chunked_out",
        "_connection",
        "_left",
        "_plain",
        "_silent",
        "answered",
        "body_bytes_max",
        "close_after",
        "complete",
        "head",
        "head_sent",
        "headers",
        "inbox",
        "method",
        "receiver",
        "request_bytes",
        "response_bytes",
        "started",
        "target",
        "told_complete",
        "trailers",
        "version",
    )

    def __init__(
        self,
        connection: ServerConnection,
        method: bytes,
        target: bytes,
        version: str,
        head: RequestHead,
        headers: HeaderList,
        keep_alive: bool,
        body_bytes_max: int,
    ) -> None:
        self._connection = connection
        self.method = method
        self.target = target
        self.version = version
        self.head = head
        self.headers = headers
        self.close_after = not keep_alive
        self.body_bytes_max = body_bytes_max
        self.inbox: list[bytes] = []
        self.complete = False  # the whole request has come
        self.told_complete = False  # and the receiver knows it
        self.started = False  # the application has it
        self.answered = False
        self.head_sent = False
        self.receiver: RequestReceiver | None = None
        self.trailers: Fields = trailer_fields.NONE
        self.request_bytes = 0  # of body, as received
        self.response_bytes = 0  # of body, as written
        self._plain = version == "1.1" and method != b"HEAD"  # the framing of its answer needs no thought
        self._silent = False  # HEAD, 204, 304: no body travels
        self._chunked_out = False
        self._left: int | None = None  # of the Content-Length that was promised

    @property
    def has_body(self) -> bool:
        """Whether the request came with a body (of perhaps zero bytes)."""
        return self.head.chunked or bool(self.head.content_length)

    @property
    def upgrade(self) -> bytes:
        """The protocol that the client asks to change to, where it may have it (`websocket`); b"" for none."""
        return self.head.upgrade

    @property
    def paused(self) -> bool:
        """Whether the client's side is congested: stop writing until `response_paused(False)`."""
        return self._connection.congested

    @property
    def date_line(self) -> bytes:
        """The Date field of an answer that is made now, with its CRLF."""
        return date_line(self._connection.context.clock.now())

    @property
    def underscores(self) -> bool:
        """Whether fields with "_" in their name may be sent on."""
        return self._connection.context.underscores

    @property
    def peer(self) -> str:
        """The client's address; "" behind a Unix socket, which knows none: whoever needs one takes it from a header."""
        return self._connection.peer

    @property
    def client_certificate(self) -> ClientCertificate | None:
        """What the client has shown, where it was asked for, and TLS has verified."""
        connection = self._connection
        return shown(connection.transport) if connection.context.asks_clients else None

    def take_body(self) -> list[bytes]:
        """The pieces of the body that have come and were not handed out before."""
        self.told_complete = self.complete
        chunks = self.inbox
        if not chunks:
            return []  # not the inbox itself: what comes next would appear in it
        self.inbox = []
        return chunks

    def send_head(self, status: int, lines: bytes, length: int | None) -> None:
        """Write the head. `lines` is status line and fields, each with CRLF, without framing or hop-by-hop fields.

        `length` is the body's size, None when unknown: then it goes chunked, or until close to an HTTP/1.0 client.
        """
        self.head_sent = True
        self._silent = self.method == b"HEAD" or status in _BODILESS
        if not self.complete:
            self.close_after = True  # whatever is left of the request is not worth waiting for
        if status == 204:
            framing = b""
        elif length is not None:
            framing = b"content-length: %d\r\n" % length
            self._left = None if self._silent else length
        elif self._silent:
            framing = b""
        elif self.version == "1.1":
            framing = b"transfer-encoding: chunked\r\n"
            self._chunked_out = True
        else:
            framing = b""
            self.close_after = True
        if self.close_after or self._connection.context.draining:
            self.close_after = True
            framing += b"connection: close\r\n"
        elif self.version == "1.0":
            framing += b"connection: keep-alive\r\n"
        self._connection.out.append(lines + framing + _CRLF)

    def write(self, chunk: bytes) -> None:
        """Write a piece of the body."""
        if self._silent or not chunk or self.answered:
            return
        size = len(chunk)
        self.response_bytes += size
        if self._chunked_out:
            self._connection.out += (b"%x\r\n" % size, chunk, _CRLF)
            return
        if self._left is not None:
            self._left -= size
            if self._left < 0:  # never let a body run over its frame: the rest would be read as the next answer
                self.abort()
                return
        self._connection.out.append(chunk)

    def send_whole(self, status: int, lines: tuple[bytes, ...], length: int | None, chunks: list[bytes]) -> None:
        """`send_head` and the whole body, in one step where nothing is unusual; `end()` is to follow.

        `lines` may be in pieces, so that nobody joins them before all goes out in one; the first ends with a line.
        """
        connection = self._connection
        if (
            not self._plain
            or length != (len(chunks[0]) if len(chunks) == 1 else sum(map(len, chunks)))
            or status in _BODILESS
            or self.close_after
            or not self.complete
            or connection.context.draining
            or self.answered
        ):
            self.send_head(status, b"".join(lines), length)
            for chunk in chunks:
                self.write(chunk)
            return
        self.head_sent = True
        self.response_bytes = length
        out = connection.out
        out += lines
        out.append(b"content-length: %d\r\n\r\n" % length)
        out += chunks

    def begin_tunnel(self, lines: bytes, receiver: TunnelReceiver) -> None:
        """Change to the protocol in `upgrade`. `lines` are fields, each with CRLF, without status line and hop-by-hop.

        From now on `write` sends its bytes as they are, and `receiver` is told what comes: what has come already within
        this call. `end` closes the connection.
        """
        self.head_sent = self.close_after = True
        switching = b"HTTP/1.1 101 Switching Protocols\r\n%bconnection: upgrade\r\nupgrade: %b\r\n\r\n"
        self._connection.out.append(switching % (lines, self.upgrade))
        self._connection.flush()
        ServerTunnel(self._connection, self, receiver).begin()

    def end(self, trailers: Fields = trailer_fields.NONE) -> None:
        """The answer is complete. `trailers` go out where the answer is chunked, and are dropped where it is not."""
        if self.answered:
            return
        if self._left:
            self.abort()
            return
        self.answered = True
        if self._chunked_out:
            self._connection.out.append(trailer_fields.last_chunk(trailers))
        self._connection.finished()

    def abort(self) -> None:
        """Break the connection off, so that the client cannot take a broken answer for a whole one."""
        if not self.answered:
            self.answered = True
            self._connection.break_off()

    def flush(self) -> None:
        """Hand what was written to the transport."""
        self._connection.flush()

    def send_continue(self) -> None:
        """Tell a client that waits (Expect: 100-continue) to send its body."""
        if self.head.expects_continue and not self.complete and not self.inbox and not self.head_sent:
            self._connection.out.append(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._connection.flush()

    def pause_body(self, paused: bool) -> None:
        """Stop or resume reading from the client: back-pressure from where the body goes."""
        self._connection.pause_body(paused)
