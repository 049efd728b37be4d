"""From bytes to requests, without any I/O: parse, judge, bound. What is refused here has never reached anybody.

Clients that keep a connection send the same fields again and again; a proxy spends more on parsing them than on
anything else. So the last ones are remembered as bytes: a request that ends with exactly these bytes, without a body,
means what the parser found in them the first time, and only its method and path have to be looked at; not even these,
when all its bytes are those of the request before.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NoReturn

import httptools

from foregate.http1 import trailers
from foregate.http1.exchange import Exchange
from foregate.http1.head import Refusal, RequestHead, judge, origin_form
from foregate.http1.headers import HeaderList, oversize
from foregate.http1.tunnel import WEBSOCKET, opens_websocket
from foregate.kernel import limits

if TYPE_CHECKING:
    from foregate.http1.server import ServerConnection

_FEED_BYTES = 4_096  # between messages: small, so that a flood of pipelined requests is noticed early
_FEED_BODY_BYTES = 65_536
_HEAD_BYTES_MAX = limits.REQUEST_LINE_BYTES_MAX + limits.HEADER_BYTES_MAX
_HEADERS_SURELY_FINE = 64  # fewer, out of fewer bytes than HEADER_BYTES_MAX, need not be counted
_CHUNK_OVERHEAD_MAX = 16  # bytes of chunk framing taken per byte of body, beyond twice HEADER_BYTES_MAX
_BODILESS = frozenset({b"GET", b"HEAD", b"DELETE", b"OPTIONS"})
_TARGET_BYTES = bytes(range(0x21, 0x7F)).replace(b"#", b"")
_REPEATS_TRIED = 8  # so many different heads in a row, and a connection's are not remembered any more


class _Stop(Exception):
    """Ends the parser's run from within a callback; the reason stands in `refusal`."""


class RequestIntake:
    """Parses one connection's bytes into `queue`.

    `filling` is the exchange whose body is still coming, always the last of the queue. After `refusal` is set nothing
    is parsed any more; a refused exchange stays `filling` for ever. `silent` says that what was refused is HEAD, whose
    answer has no body. `head_bytes` > 0 means: part of a head has come.
    `backlog` holds bytes that wait because the queue is full, or because a request before them wishes to upgrade: then
    they are a tunnel's or the next request's, as it is answered.
    """

    __slots__ = (
        "_begun",
        "_body_bytes_max",
        "_connection",
        "_fed",
        "_headers",
        "_parser",
        "_priming",
        "_repeated",
        "_repeated_fields",
        "_repeated_head",
        "_repeated_line",
        "_repeated_whole",
        "_requests_left",
        "_target",
        "_tries_left",
        "_wish",
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
        self._repeated = b""  # " HTTP/1.1" and the fields of an earlier request, to the end of its head; b"" for none
        self._repeated_fields: HeaderList = []
        self._repeated_head = RequestHead()
        self._repeated_whole: bytes | None = None  # the last such request, if it was small
        self._repeated_line = b"", b""  # its method and target
        self._tries_left = _REPEATS_TRIED
        self._fed = 0  # bytes fed since the last head was complete
        self._wish: Exchange | None = None  # which may become a tunnel: what comes after it is not parsed before that
        self.queue: deque[Exchange] = deque()
        self.filling: Exchange | None = None
        self.refusal: Refusal | None = None
        self.silent = False
        self.head_bytes = 0
        self.backlog = b""

    def close(self) -> None:
        """Nothing more comes. Here end the cycles of connection, intake and parser, which only the collector would."""
        self.backlog = b""
        self._wish = None
        del self._connection, self._parser

    def feed(self, data: bytes) -> None:
        """Take what has arrived."""
        if not self.repeat(data):
            self.parse(data)

    def parse(self, data: bytes) -> None:
        """Take what has arrived and is nothing to `repeat`."""
        if self.backlog or self._waits:
            self.backlog += data  # bounded: reading is paused while there is a backlog
        elif len(data) > _FEED_BYTES:
            self._feed_slices(data)
        elif self.refusal is None:
            self._feed(data)

    def feed_backlog(self) -> None:
        """Go on with what had to wait."""
        backlog, self.backlog = self.backlog, b""
        self._feed_slices(backlog)

    def _feed_slices(self, data: bytes) -> None:
        start = 0
        while start < len(data) and self.refusal is None:
            if len(self.queue) >= limits.PIPELINED_REQUESTS_MAX or self._waits:
                self.backlog = data[start:]
                return
            stop = start + (_FEED_BYTES if self.filling is None else _FEED_BODY_BYTES)
            self._feed(data[start:stop])
            start = stop

    def _feed(self, data: bytes) -> None:
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserUpgrade, httptools.HttpParserError) as stop:
            self._stopped(stop, data)
            return
        if not self._begun:
            if self._tries_left and self.queue:
                self._remember(data, self.queue[-1])
        elif self.filling is None:
            self._bound_head(data)
        elif self.filling.head.chunked:
            self._bound_overhead(self.filling)

    def _remember(self, data: bytes, exchange: Exchange) -> None:
        """Keep the fields of a request that came alone, whole, without a body and without anything unusual."""
        head = exchange.head
        before = len(exchange.method) + 1 + len(exchange.target)
        if (
            len(data) <= limits.REPEATED_HEAD_BYTES_MAX
            and data.startswith(b" HTTP/1.1\r\n", before)
            and data.find(b"\r\n\r\n") + 4 == len(data)
            and not exchange.close_after
            and not (exchange.has_body or head.content_length is not None or head.expects_continue)
            and not (head.connection_tokens or self._parser.should_upgrade())
            and data.startswith(exchange.method + b" " + exchange.target)
        ):
            self._tries_left -= 1
            self._repeated, self._repeated_fields, self._repeated_head = data[before:], exchange.headers, head
            self._repeated_whole = None

    def repeat(self, data: bytes) -> bool:
        """Queue a request that is known but for its method and path; False when `data` is none, or not only that."""
        if self._begun or self.backlog or self.refusal is not None:
            return False
        if data == self._repeated_whole:
            method, target = self._repeated_line
        else:
            repeated = self._repeated
            if not repeated or not data.endswith(repeated):
                return False
            method, _, target = data[: -len(repeated)].partition(b" ")
            if (
                method not in _BODILESS
                or target[:1] != b"/"
                or target.translate(None, _TARGET_BYTES)
                or len(target) > limits.REQUEST_LINE_BYTES_MAX
            ):
                return False
            self._repeated_whole = data if len(data) <= limits.REPEATED_HEAD_BYTES_MAX else None
            self._repeated_line = method, target
            self._tries_left = _REPEATS_TRIED
        exchange = Exchange(
            self._connection,
            method,
            target,
            "1.1",
            self._repeated_head,
            self._repeated_fields,
            True,
            self._body_bytes_max,
        )
        exchange.complete = True
        self._requests_left -= 1
        if not self._requests_left:
            exchange.close_after = True
        self.queue.append(exchange)
        return True

    def _enqueue(self, exchange: Exchange) -> None:
        self._requests_left -= 1
        if not self._requests_left:
            exchange.close_after = True
        self.queue.append(exchange)

    def _stopped(self, stop: Exception, data: bytes) -> None:
        """The parser goes no further."""
        if isinstance(stop, httptools.HttpParserUpgrade):
            self._ignore_upgrade()
            rest = data[stop.args[0] :]
            if self._wishes():
                self.backlog = rest
            elif rest:
                self._feed(rest)
        elif not isinstance(stop, httptools.HttpParserCallbackError):
            self.refusal = Refusal("malformed_request", str(stop))
        elif self.refusal is None:
            raise stop  # a mistake of ours: let the loop report it and close

    def _wishes(self) -> bool:
        """Whether the last request may become a tunnel: its answer decides what the bytes after its head are."""
        exchange = self.queue[-1] if self.queue else None
        if exchange is None or exchange is self.filling or not opens_websocket(exchange):
            return False
        exchange.head.upgrade = WEBSOCKET
        self._wish = exchange
        self._begun = True  # so that nothing is taken for a repeated request
        return True

    @property
    def _waits(self) -> bool:
        wish = self._wish
        if wish is None or not wish.answered:
            return wish is not None
        self._wish = None
        self._begun = False
        return False

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

    def _bound_head(self, data: bytes) -> None:
        """A head that comes in pieces: llhttp would collect one endless header for ever."""
        self.head_bytes += len(data)
        if len(self._target) > limits.REQUEST_LINE_BYTES_MAX:
            self.refusal = Refusal("uri_too_long", "")
        elif self.head_bytes > _HEAD_BYTES_MAX or oversize(self._headers):
            self.refusal = Refusal("headers_too_large", "")

    def _bound_headers(self, headers: HeaderList) -> None:
        if oversize(headers):
            self._stop(Refusal("headers_too_large", ""))

    def _bound_overhead(self, exchange: Exchange) -> None:
        """Chunk extensions, tiny chunks, trailers: framing must not outgrow the body it frames without bound."""
        if self._fed > limits.HEADER_BYTES_MAX * 2 + exchange.request_bytes * _CHUNK_OVERHEAD_MAX:
            self.refusal = Refusal("malformed_request", "The chunk framing is larger than the body it frames.")

    def _stop(self, refusal: Refusal, *, silent: bool = False) -> NoReturn:
        self.refusal = refusal
        self.silent = silent
        raise _Stop

    def _take_trailers(self, exchange: Exchange) -> None:
        fields, self._headers = self._headers, []
        self._bound_headers(fields)
        if not exchange.underscores:
            fields = [field for field in fields if b"_" not in field[0]]
        exchange.trailers = trailers.kept(fields, exchange.head.connection_tokens)

    # --- called by httptools ---------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._begun = True

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))  # trailers too, after the body

    def on_headers_complete(self) -> None:
        if self._priming:
            self._headers = []
            self._target = b""
            return
        headers, self._headers = self._headers, []
        target, self._target = self._target, b""
        if len(target) > limits.REQUEST_LINE_BYTES_MAX:
            self._stop(Refusal("uri_too_long", ""))
        if len(headers) > _HEADERS_SURELY_FINE or self._fed > limits.HEADER_BYTES_MAX:
            self._bound_headers(headers)
        parser = self._parser
        method, version = parser.get_method(), parser.get_http_version()
        head = judge(method, headers, version)
        if isinstance(head, Refusal):
            self._stop(head, silent=method == b"HEAD")
        asked = origin_form(target, method, head.host)
        if isinstance(asked, Refusal):
            self._stop(asked, silent=method == b"HEAD")
        if head.content_length and head.content_length > self._body_bytes_max:
            self._stop(Refusal("body_too_large", ""))
        exchange = Exchange(
            self._connection, method, asked, version, head, headers, parser.should_keep_alive(), self._body_bytes_max
        )
        self.head_bytes = self._fed = 0
        self.filling = exchange
        self._enqueue(exchange)

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
