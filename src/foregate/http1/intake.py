"""From bytes to requests, without any I/O: parse, judge, bound. What is refused here has never reached anybody."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import httptools

from foregate.http1 import trailers
from foregate.http1.exchange import Exchange
from foregate.http1.head import Refusal, judge
from foregate.http1.headers import HeaderList, oversize
from foregate.kernel import limits

if TYPE_CHECKING:
    from foregate.http1.server import ServerConnection

_FEED_BYTES = 4_096  # between messages: small, so that a flood of pipelined requests is noticed early
_FEED_BODY_BYTES = 65_536
_HEAD_BYTES_MAX = limits.REQUEST_LINE_BYTES_MAX + limits.HEADER_BYTES_MAX
_HEADERS_SURELY_FINE = 64  # fewer, out of fewer bytes than HEADER_BYTES_MAX, need not be counted
_CHUNK_OVERHEAD_MAX = 16  # bytes of chunk framing taken per byte of body, beyond twice HEADER_BYTES_MAX


class _Stop(Exception):
    """Ends the parser's run from within a callback; the reason stands in `refusal`."""


class RequestIntake:
    """Parses one connection's bytes into `queue`.

    `filling` is the exchange whose body is still coming, always the last of the queue. After `refusal` is set nothing
    is parsed any more; a refused exchange stays `filling` for ever. `silent` says that what was refused is HEAD, whose
    answer has no body. `head_bytes` > 0 means: part of a head has come.
    `backlog` holds bytes that wait because the queue is full.
    """

    __slots__ = (
        "_begun",
        "_body_bytes_max",
        "_connection",
        "_fed",
        "_headers",
        "_parser",
        "_priming",
        "_requests_left",
        "_target",
        "backlog",
        "filling",
        "head_bytes",
        "queue",
        "refusal",
        "silent",
    )

    def __init__(self, connection: ServerConnection, body_bytes_max: int, requests_max: int = 0) -> None:
        self._connection = connection
        self._requests_left = requests_max  # the last one closes the connection; from 0 on: any number
        self._body_bytes_max = body_bytes_max
        self._parser = httptools.HttpRequestParser(self)
        self._headers: HeaderList = []
        self._target = b""
        self._begun = False  # a message has begun and is not complete
        self._priming = False  # the parser is being told what it cannot know
        self._fed = 0  # bytes fed since the last head was complete
        self.queue: deque[Exchange] = deque()
        self.filling: Exchange | None = None
        self.refusal: Refusal | None = None
        self.silent = False
        self.head_bytes = 0
        self.backlog = b""

    def feed(self, data: bytes) -> None:
        """Parse what has arrived."""
        if len(data) <= _FEED_BYTES and not self.backlog:
            if self.refusal is None:
                self._feed(data)
        elif self.backlog:
            self.backlog += data  # bounded: reading is paused while there is a backlog
        else:
            self._feed_slices(data)

    def feed_backlog(self) -> None:
        """Go on with what had to wait."""
        backlog, self.backlog = self.backlog, b""
        self._feed_slices(backlog)

    def _feed_slices(self, data: bytes) -> None:
        start = 0
        while start < len(data) and self.refusal is None:
            if len(self.queue) >= limits.PIPELINED_REQUESTS_MAX:
                self.backlog = data[start:]
                return
            stop = start + (_FEED_BYTES if self.filling is None else _FEED_BODY_BYTES)
            self._feed(data[start:stop])
            start = stop

    def _feed(self, data: bytes) -> None:
        size = len(data)
        self._fed += size
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade()
            if rest := data[upgrade.args[0] :]:
                self._feed(rest)
            return
        except httptools.HttpParserCallbackError:
            if self.refusal is None:
                raise  # a mistake of ours: let the loop report it and close
            return
        except httptools.HttpParserError as error:
            self.refusal = Refusal("malformed_request", str(error))
            return
        if self.filling is not None:
            if self.filling.head.chunked:
                self._bound_overhead(self.filling)
        elif self._begun:
            self._bound_head(size)

    def _ignore_upgrade(self) -> None:
        """Go on in HTTP/1.1 with a new parser: a server may ignore the wish to upgrade (RFC 9110 section 7.8).

        The old parser has stopped after the head, taking the body for another protocol's bytes. So the new one is
        told of a body first; parsed as a request, the body would be one that was smuggled in.
        """
        self._parser = httptools.HttpRequestParser(self)
        exchange = self.filling
        if exchange is not None:
            head = exchange.head
            framing = (
                b"transfer-encoding: chunked" if head.chunked else b"content-length: %d" % (head.content_length or 0)
            )
            self._priming = True
            self._parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n")
            self._priming = False

    def _bound_head(self, size: int) -> None:
        """A head that comes in pieces: llhttp would collect one endless header for ever."""
        self.head_bytes += size
        if self.head_bytes > _HEAD_BYTES_MAX or oversize(self._headers):
            self.refusal = Refusal("headers_too_large", "")

    def _bound_headers(self, headers: HeaderList) -> None:
        if oversize(headers):
            self._stop(Refusal("headers_too_large", ""))

    def _bound_overhead(self, exchange: Exchange) -> None:
        """Chunk extensions, tiny chunks, trailers: framing must not outgrow the body it frames without bound."""
        if self._fed > limits.HEADER_BYTES_MAX * 2 + exchange.request_bytes * _CHUNK_OVERHEAD_MAX:
            self.refusal = Refusal("malformed_request", "The chunk framing is larger than the body it frames.")

    def _stop(self, refusal: Refusal) -> None:
        self.refusal = refusal
        raise _Stop

    def _take_trailers(self, exchange: Exchange) -> None:
        fields, self._headers = self._headers, []
        self._bound_headers(fields)
        exchange.trailers = trailers.kept(fields, exchange.head.connection_tokens)

    # --- called by httptools ---------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._begun = True
        self._headers = []
        self._target = b""

    def on_url(self, url: bytes) -> None:
        self._target += url
        if len(self._target) > limits.REQUEST_LINE_BYTES_MAX:
            self._stop(Refusal("uri_too_long", ""))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))  # trailers too, after the body

    def on_headers_complete(self) -> None:
        if self._priming:
            self._headers = []
            return
        headers, self._headers = self._headers, []
        if len(headers) > _HEADERS_SURELY_FINE or self._fed > limits.HEADER_BYTES_MAX:
            self._bound_headers(headers)
        parser = self._parser
        method, version = parser.get_method(), parser.get_http_version()
        head = judge(method, self._target, headers, version)
        if isinstance(head, Refusal):
            self.silent = method == b"HEAD"
            self._stop(head)
            return
        if head.content_length and head.content_length > self._body_bytes_max:
            self._stop(Refusal("body_too_large", ""))
        exchange = Exchange(
            self._connection, method, version, head, headers, parser.should_keep_alive(), self._body_bytes_max
        )
        self._requests_left -= 1
        if not self._requests_left:
            exchange.close_after = True
        self.head_bytes = self._fed = 0
        self.filling = exchange
        self.queue.append(exchange)

    def on_body(self, body: bytes) -> None:
        exchange = self.filling
        if exchange is None:
            return
        exchange.inbox.append(body)
        exchange.request_bytes += len(body)
        if exchange.request_bytes > exchange.body_bytes_max:
            self._stop(Refusal("body_too_large", ""))

    def on_message_complete(self) -> None:
        exchange = self.filling
        if exchange is not None:
            if self._parser.should_upgrade() and exchange.has_body:
                return  # only its head is complete: see _ignore_upgrade
            if self._headers:
                self._take_trailers(exchange)
            exchange.complete = True
            self.filling = None
        self._begun = False
