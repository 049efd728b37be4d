"""One stream of a client: a request and the answer to it, in the words of `http1.exchange.Exchange`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from foregate.http1 import trailers as trailer_fields
from foregate.http1.client_certificate import ClientCertificate, shown
from foregate.http1.date import date_line
from foregate.http1.head import Refusal
from foregate.http1.headers import HeaderList, find, oversize, reason
from foregate.http1.trailers import Fields
from foregate.http2.answer import FieldList, answer_fields, trailers
from foregate.http2.patience import Pace
from foregate.http2.session import CANCEL, INTERNAL_ERROR, NO_ERROR
from foregate.kernel import limits
from foregate.kernel.errors import ERRORS, problem
from foregate.kernel.ids import new_request_id

if TYPE_CHECKING:
    import ngh2

    from foregate.http1.exchange import RequestReceiver
    from foregate.http1.head import RequestHead
    from foregate.http1.tunnel import TunnelReceiver
    from foregate.http2.calm import Purse
    from foregate.http2.request import Asked
    from foregate.http2.server import Http2Connection
    from foregate.wire.event import Protocol as Spoken

_BODILESS = frozenset({204, 304})
_GRPC = b"application/grpc"
_WRITE_EARNS = 3.0  # what the client may pay with the WINDOW_UPDATEs for a piece that we send, beyond its bytes


class Exchange:
    """`http1.Exchange` says what is meant here; these are the differences.

    What is written waits for `flush()` in the connection, and goes to libnghttp2 in one piece per stream. The client is
    held back by its window: what of a body was not taken (`pause_body`) is not acknowledged. `abort` resets the stream
    and leaves the connection alone. A request that goes on after its answer is reset after a while.
    """

    version = "2"
    __slots__ = (
        "_acknowledgeable",
        "_body_paused",
        "_connection",
        "_early",
        "_fields",
        "_left",
        "_out",
        "_silent",
        "_trailers",
        "_tunnel",
        "answered",
        "body_bytes_max",
        "close_after",
        "complete",
        "dirty",
        "full",
        "head",
        "head_sent",
        "headers",
        "held",
        "inbox",
        "method",
        "open",
        "over",
        "pace",
        "protocol",
        "receiver",
        "request_bytes",
        "response_bytes",
        "stream",
        "target",
        "told_complete",
        "trailers",
    )

    def __init__(self, connection: Http2Connection, stream: int, asked: Asked, ended: bool, now_s: float) -> None:
        self._connection = connection
        self.stream = stream
        self.method, self.target = asked.method, asked.target
        self.head: RequestHead = asked.head
        self.headers: HeaderList = asked.headers
        self.protocol: Spoken = "grpc" if _is_grpc(find(asked.headers, b"content-type")) else "h2"
        self.open = not ended  # the client may send more on this stream
        self.over = False  # the stream is closed on both sides
        self.complete = self.told_complete = ended or bool(asked.head.upgrade)
        self.inbox: list[bytes] = []
        self.trailers: Fields = trailer_fields.NONE
        self.receiver: RequestReceiver | None = None
        self.body_bytes_max = connection.context.body_bytes_max
        self.request_bytes = self.response_bytes = 0
        self.answered = self.head_sent = self.close_after = False
        self.dirty = False  # something waits to be handed to libnghttp2
        self.full = False  # so much waits for the client's window that the receiver was told to pause
        self.pace = Pace(now_s)
        self._fields: FieldList | None = None  # the head, until it is clear whether anything follows it
        self.held = 0  # bytes in `_out`
        self._out: list[bytes | memoryview] = []
        self._early: list[bytes] = []  # what came before the tunnel was there, bounded by the client's window
        self._left: int | None = None  # of the Content-Length that was promised
        self._silent = False  # HEAD, 204, 304: no body travels
        self._trailers: FieldList | None = None
        self._tunnel: TunnelReceiver | None = None
        self._body_paused = False
        self._acknowledgeable = 0  # bytes that came and still fill the client's window

    @property
    def has_body(self) -> bool:
        return self.head.chunked or bool(self.head.content_length)

    @property
    def upgrade(self) -> bytes:
        return self.head.upgrade

    @property
    def paused(self) -> bool:
        return self.full or self.held > limits.H2_STREAM_QUEUE_BYTES

    @property
    def date_line(self) -> bytes:
        return date_line(self._connection.context.clock.now())

    @property
    def underscores(self) -> bool:
        return self._connection.context.underscores

    @property
    def peer(self) -> str:
        return self._connection.peer

    @property
    def client_certificate(self) -> ClientCertificate | None:
        connection = self._connection
        return shown(connection.transport) if connection.context.asks_clients else None

    # --- for the application: the request --------------------------------------------------------------------

    def take_body(self) -> list[bytes]:
        self.told_complete = self.complete
        chunks = self.inbox
        if not chunks:
            return []
        self.inbox = []
        return chunks

    def send_continue(self) -> None:
        if self.head.expects_continue and not self.complete and not self.inbox and not self.head_sent:
            self._connection.send_continue(self)

    def pause_body(self, paused: bool) -> None:
        self._body_paused = paused
        if not paused:
            self.pace.begin_again(self._connection.context.clock.monotonic(), self.request_bytes)
            self.acknowledge()
            self._connection.flush()

    # --- for the application: the answer ---------------------------------------------------------------------

    def send_head(self, status: int, lines: bytes, length: int | None) -> None:
        self._begin(status, (b"", lines), length)

    def send_whole(self, status: int, lines: tuple[bytes, ...], length: int | None, chunks: list[bytes]) -> None:
        self._begin(status, lines, length)
        for chunk in chunks:
            self.write(chunk)

    def _begin(self, status: int, pieces: Sequence[bytes], length: int | None) -> None:
        self.head_sent = True
        self._silent = self.method == b"HEAD" or status in _BODILESS
        if status == 204 or (self.protocol == "grpc" and not length):
            length = None  # gRPC: an answer of trailers alone has no length
        elif not self._silent:
            self._left = length
        self._fields = answer_fields(status, pieces, length)
        self._connection.soil(self)

    def begin_tunnel(self, lines: bytes, receiver: TunnelReceiver) -> None:
        """RFC 8441 section 5: 200 opens it. What has come already is told within this call."""
        self._tunnel = receiver
        self._begin(200, (b"", lines), None)
        self.deliver()
        self._connection.flush()

    def write(self, chunk: bytes) -> None:
        if self._silent or not chunk or self.answered:
            return
        size = len(chunk)
        self.response_bytes += size
        if self._left is not None:
            self._left -= size
            if self._left < 0:
                self.abort()
                return
        self._out.append(chunk)
        self.held += size
        self._connection.soil(self)

    def end(self, trailers_: Fields = trailer_fields.NONE) -> None:
        if self.answered:
            return
        if self._left:
            self.abort()
            return
        if trailers_ and not self._silent:
            self._trailers = trailers(trailers_)
        self.answered = True
        self._connection.soil(self)
        self._connection.flush()

    def abort(self) -> None:
        if not self.answered:
            self.answered = True
            self._connection.reset(self, INTERNAL_ERROR)

    def flush(self) -> None:
        self._connection.flush()

    # --- for the connection ----------------------------------------------------------------------------------

    def hand_over(self, engine: ngh2.Connection, purse: Purse, most: int) -> None:
        """Give libnghttp2 what was written, of a body at most so many bytes: it copies them."""
        self.dirty = False
        fields, stream = self._fields, self.stream
        out = self._taken(most) if self.held > most else self._out
        if out is self._out:
            self._out, self.held = [], 0
        over = self.answered and not self.held
        ended = over and self._trailers is None
        if fields is not None:
            self._fields = None
            if not out and ended:
                engine.send_response(stream, fields, end_stream=True)
                return
            engine.send_response(stream, fields)
        if out:
            engine.send_data(stream, out[0] if len(out) == 1 else b"".join(out), end_stream=ended)
            purse.earn(_WRITE_EARNS)
        elif ended:
            engine.end_stream(stream)
        if over and self._trailers is not None:
            engine.send_trailers(stream, self._trailers)

    def _taken(self, most: int) -> list[bytes | memoryview]:
        """The first so many bytes of what is held; there are more."""
        taken: list[bytes | memoryview] = []
        left = max(0, most)
        for chunk in self._out:
            if len(chunk) > left:
                break
            taken.append(chunk)
            left -= len(chunk)
        del self._out[: len(taken)]
        if left:
            view = memoryview(self._out[0])
            taken.append(view[:left])
            self._out[0] = view[left:]
        self.held -= max(0, most)
        return taken

    def body_came(self, data: bytes, ended: bool, now_s: float) -> None:
        """More of the request, or of what comes through the tunnel. The connection delivers it."""
        self._acknowledgeable += len(data)
        self.pace.body_s = now_s
        self.open = not ended
        if self.answered:
            return  # nobody wants it: what does not fit the window any more need not come
        self.request_bytes += len(data)
        if self.head.upgrade:
            if data:
                self._early.append(data)
            return
        if data:
            self.inbox.append(data)
        if self.request_bytes > self.body_bytes_max:
            self.refuse(Refusal("body_too_large", ""))
        elif ended:
            self.complete = True

    def trailers_came(self, fields: HeaderList) -> None:
        """The request ends with them."""
        self.open = False
        if self.answered:
            return
        if oversize(fields):
            self.refuse(Refusal("headers_too_large", ""))
            return
        if not self.underscores:
            fields = [field for field in fields if b"_" not in field[0]]
        self.trailers = trailer_fields.kept(fields)
        self.complete = True

    def deliver(self) -> None:
        """Tell the receiver what has come."""
        if self.answered:
            return
        tunnel = self._tunnel
        if tunnel is not None:
            early, self._early = self._early, []
            for chunk in early:
                if not self.answered:
                    tunnel.tunnel_data(chunk)
            if not (self.open or self.answered):
                tunnel.tunnel_eof()
                if not self.answered:  # it would go on, but nobody listens
                    self.lose("client_closed")
                    self._connection.reset(self, CANCEL)
        elif self.receiver is not None and (self.inbox or self.complete is not self.told_complete):
            self.receiver.request_body(self.take_body(), self.complete)
        self.acknowledge()

    def settle_framing(self) -> None:
        """All of a request's body has come with its head: its size is known after all."""
        if self.complete and not self.trailers:
            self.head.chunked = False
            if self.inbox or self.method != b"GET":
                self.head.content_length = self.request_bytes

    def acknowledge(self) -> None:
        """Open the client's window again for what was taken, unless whoever took it is behind."""
        if self._acknowledgeable and not self.answered and not (self._body_paused or self.inbox or self._early):
            amount, self._acknowledgeable = self._acknowledgeable, 0
            self._connection.acknowledge(self, amount)

    def give_back(self) -> int:
        """What of the connection's window this stream still fills; it is over."""
        amount, self._acknowledgeable = self._acknowledgeable, 0
        return amount

    def pause(self, full: bool) -> None:
        """Tell whoever answers to pause, or to go on."""
        self.full = full
        if not self.answered:
            if self._tunnel is not None:
                self._tunnel.tunnel_paused(full)
            elif self.receiver is not None:
                self.receiver.response_paused(full)

    def refuse(self, refusal: Refusal) -> None:
        """The engine takes this request no further: an answer where there is none yet, a reset where there is."""
        self._connection.context.refused(refusal.code)
        begun = self.head_sent
        self.lose(refusal.code)
        if begun:
            self._connection.reset(self, CANCEL)
            return
        spec = ERRORS[refusal.code]
        body = problem(spec, new_request_id(), refusal.detail)
        lines = b"HTTP/1.1 %d %s\r\n%scontent-type: application/problem+json\r\n" % (
            spec.status,
            reason(spec.status),
            self.date_line,
        )
        self.answered = False
        self.send_whole(spec.status, (lines,), len(body), [body])
        self.end()

    def lose(self, code: str) -> None:
        """The request is over before its answer is: say so, once."""
        if not self.answered:
            self.answered = True
            receiver: RequestReceiver | TunnelReceiver | None = self._tunnel or self.receiver
            self.receiver = self._tunnel = None
            self.inbox, self._early = [], []
            if receiver is not None:
                receiver.request_aborted(code)

    def check(self, queued: int, now_s: float) -> None:
        """Refuse a request whose body does not come, reset an answer that is not taken; `queued` in libnghttp2."""
        context, pace = self._connection.context, self.pace
        waits = not (self.complete or self.answered or self._body_paused)  # somebody is ready to take more of a body
        if waits and pace.body_late(context, now_s, self.request_bytes, self.head_sent):
            self.refuse(Refusal("request_timeout", ""))
            return
        queued += self.held
        if pace.stalled(context, now_s, self.response_bytes - queued, queued):
            self.lose("client_closed")
            self._connection.reset(self, CANCEL)
        elif self.answered and not queued and pace.lingered():
            self._connection.reset(self, NO_ERROR)  # RFC 9113 section 8.1: the rest of the request is not needed


def _is_grpc(content_type: bytes | None) -> bool:
    """`application/grpc`, perhaps with `+proto` or parameters; not gRPC-Web, which is ordinary HTTP."""
    if content_type is None or not content_type.startswith(_GRPC):
        return False
    return content_type[len(_GRPC) : len(_GRPC) + 1] in (b"", b"+", b";")
