"""One proxied request from its last policy to its event: the hot path.

A `Proxied` is told what the client does (`exchange.RequestReceiver`) and what the upstream does
(`client.ResponseReceiver`), and carries bytes between them. It always ends in `finish`, once. The attempt that may
still answer is in its slots; what is not ordinary is done by the modules beside this one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from foregate.gateway.forwarding import trouble
from foregate.gateway.forwarding.judging import Outcome, tell_service, tell_target
from foregate.gateway.heads import answer_fields
from foregate.http1.asking import UpstreamExchange
from foregate.http1.headers import HeaderList
from foregate.http1.trailers import frame
from foregate.kernel.limits import REPLAY_BODY_BYTES_MAX

if TYPE_CHECKING:
    from foregate.gateway.chains import Answerer
    from foregate.gateway.forwarding.means import Forwarding
    from foregate.gateway.forwarding.rare import Rare
    from foregate.gateway.policies.breaker import State
    from foregate.gateway.request import Request
    from foregate.gateway.upstream import ServiceState, TargetState
    from foregate.wire.event import BreakerOutcome

_VERSION = b" HTTP/1.1\r\n"


class _Dateless(NamedTuple):
    """Whose answerers have made a head that is kept without a Date: each answer gets its own."""

    answerers: tuple[Answerer, ...]


class Proxied:
    """State of one request on its way. `forward`: the lines after Host, with the blank line; `chunked`: so is its body.

    `body` is all of the body that has come, while it is kept for another attempt; None once it has grown too large for
    that. `entered` is the state in which the target's circuit let the attempt pass; None once the circuit has been
    told.
    """

    __slots__ = (
        "at_target",
        "attempt_s",
        "attempts",
        "body",
        "breaker",
        "chunked",
        "connection",
        "entered",
        "exchange",
        "finished",
        "first_byte_ms",
        "forward",
        "inflight",
        "means",
        "monotonic",
        "pending",
        "rare",
        "request",
        "service",
        "status",
        "target",
    )

    entered: State | None
    attempt_s: float

    def __init__(self, request: Request, forward: bytes, chunked: bool, means: Forwarding) -> None:
        self.request = request
        self.exchange = exchange = request.exchange
        self.forward = forward
        self.chunked = chunked
        self.means = means
        self.monotonic = means.monotonic
        self.body: list[bytes] | None = request.chunks if request.body is None else [request.body]
        self.attempts = 0
        self.first_byte_ms = -1.0
        self.breaker: BreakerOutcome = "none"
        self.target: TargetState | None = None
        self.connection: UpstreamExchange | None = None
        self.pending: asyncio.Task[None] | asyncio.TimerHandle | None = None  # a connection to come, a retry to make
        self.at_target = False  # the attempt has begun, and the target has not been told of its end
        self.status = 0  # of the answer, once it has begun
        self.finished = False
        self.rare: Rare | None = None
        service = request.service
        assert service is not None  # noqa: S101 - the core has chosen it
        self.service: ServiceState = service
        service.begun += 1
        service.inflight = self.inflight = service.inflight + 1
        exchange.receiver = self

    # --- towards the upstream --------------------------------------------------------------------------------

    def attempt(self, now_s: float) -> None:
        """Choose a target and send the request to it."""
        service = self.service
        if service.breaker is not None and not service.breaker.admits(now_s):
            trouble.circuit_open(self, now_s)
            return
        target = service.choose(now_s, service.subject_of(self.request) if service.hashes else None, self.target)
        if target is None:
            trouble.circuit_open(self, now_s)
            return
        self.target = target
        self.attempts += 1
        circuit = target.circuit
        self.breaker = self.entered = "closed" if circuit.state == "closed" else circuit.enter(now_s)
        target.began(now_s)
        self.at_target = True
        self.attempt_s = now_s
        if service.breaker is not None or self.request.chain.watched:
            trouble.watch(self, now_s)
        connection = target.pool.take()
        if connection is not None:
            self.connected(connection)
        else:
            self.pending = target.pool.connect(self)

    def connected(self, connection: UpstreamExchange) -> None:
        """There is a connection: send the head and what there is of the body."""
        if self.pending is not None:
            self.waited()
        self.connection = connection
        exchange = self.exchange
        complete = exchange.told_complete
        target = self.target
        assert target is not None  # noqa: S101 - it was chosen before connecting
        request = self.request
        try:
            message = self.message(request, target)
        except Exception as error:  # noqa: BLE001 - whatever a policy made of the request, it gets its answer
            trouble.unsendable(self, connection, error)
            return
        connection.send(
            self,
            message,
            request.chain.timeouts.attempt_s,
            exchange.method == b"HEAD",
            complete,
            self.chunked,
        )
        if not complete:
            exchange.pause_body(connection.congested)

    def message(self, request: Request, target: TargetState) -> bytes:
        """The head towards `target`, and what has come of the body."""
        route = request.route
        host = route.host_line or (b"host: %s\r\n" % request.host if route.keeps_host else target.host_line)
        head = request.method, b" ", target.prefix, request.path, request.query, _VERSION, host, self.forward
        body = self.body
        if not body and not self.chunked:
            return b"".join(head)
        exchange = self.exchange
        self._keep_bounded()
        if self.chunked:
            return b"".join((*head, frame(body or [], exchange.told_complete, exchange.trailers)))
        return b"".join((*head, *(body or ())))

    def waited(self) -> None:
        """The new connection is there, or will not be."""
        self.pending = None
        self.request.waited_s += self.monotonic() - self.attempt_s

    def connect_failed(self, code: str) -> None:
        self.waited()
        trouble.attempt_failed(self, code)

    def _keep_bounded(self) -> None:
        """A body that has grown too large to be kept cannot be sent twice; one that a policy needed whole can."""
        if self.exchange.request_bytes > REPLAY_BODY_BYTES_MAX and self.request.body is None:
            self.body = None

    # --- exchange.RequestReceiver: what the client does ------------------------------------------------------

    def request_body(self, chunks: list[bytes], complete: bool) -> None:
        exchange = self.exchange
        if self.body is not None:
            self.body += chunks
        if self.connection is not None:
            if complete and exchange.trailers:
                self.connection.write(chunks, True, exchange.trailers)
            else:
                self.connection.write(chunks, complete)
            self._keep_bounded()
        elif exchange.request_bytes > REPLAY_BODY_BYTES_MAX and not complete:
            exchange.pause_body(True)  # nowhere to send it yet

    def request_aborted(self, code: str) -> None:
        if not self.finished:
            trouble.client_left(self, code)

    def response_paused(self, paused: bool) -> None:
        if self.connection is not None:
            self.connection.pause_response(paused)

    # --- client.ResponseReceiver: what the upstream does -----------------------------------------------------

    def request_paused(self, paused: bool) -> None:
        if not self.exchange.told_complete:
            self.exchange.pause_body(paused)

    def _fields(self, connection: UpstreamExchange, complete: bool) -> bytes | None:
        """The head for the client, kept for the next answer; None when a policy failed and the client was told so."""
        chain, notes = self.request.chain, connection.notes
        if notes is not None and notes[0] is connection.headers:
            kind = notes[1]
            if type(kind) is _Dateless and kind.answerers is chain.answerers:
                return notes[2] + self.exchange.date_line
        headers: HeaderList = connection.headers
        if chain.answerers:
            reshaped = trouble.reshaped(self, connection, complete)
            if reshaped is None:
                return None
            headers = reshaped
        fields = answer_fields(connection.status, headers) + self.service.header_line
        dated = b"\r\ndate: " in fields
        if chain.steady:
            connection.notes = connection.headers, chain.answerers if dated else _Dateless(chain.answerers), fields
        return fields if dated else fields + self.exchange.date_line

    def response_head(self, connection: UpstreamExchange, chunks: list[bytes], complete: bool) -> None:
        now_s = self.monotonic()
        status = connection.status
        request = self.request
        request.upstream_ms = (now_s - self.attempt_s) * 1000.0
        if status >= 500 and trouble.answer_failed(self, connection, complete, now_s):
            return
        if self.rare is not None:
            self.rare.stop_waiting()
        self.status = status
        self.first_byte_ms = (now_s - request.started_s) * 1000.0
        self.answer(connection, chunks, complete, now_s)

    def answer(self, connection: UpstreamExchange, chunks: list[bytes], complete: bool, now_s: float) -> None:
        """This is the answer that the client gets: its head, and what has come of its body."""
        status, request, notes = self.status, self.request, connection.notes
        fields: bytes | None
        if notes is not None and notes[0] is connection.headers and notes[1] is request.chain.answerers:
            fields = notes[2]  # the same head as the answer before, and the same is to become of it: most are
        elif (fields := self._fields(connection, complete)) is None:
            return
        timing = f"x-gateway-response-time: {self.first_byte_ms:.2f}\r\nx-request-id: {request.request_id}\r\n"
        lines = fields, timing.encode(), request.answer_lines
        exchange = self.exchange
        if not complete or connection.trailers:
            self._begin(connection, b"".join(lines), chunks, complete, now_s)
            return
        length = connection.content_length
        if length is None and exchange.method != b"HEAD" and status != 304:
            length = sum(map(len, chunks))  # it has all come: no need for chunks
        exchange.send_whole(status, lines, length, chunks)
        self.connection = None
        self.finish(status, "", now_s)
        exchange.end()

    def _begin(
        self, connection: UpstreamExchange, lines: bytes, chunks: list[bytes], complete: bool, now_s: float
    ) -> None:
        """Begin an answer that goes on, or that has trailers."""
        exchange = self.exchange
        exchange.send_head(self.status, lines, connection.content_length)
        if self.request.chain.streams and not complete:
            trouble.stream_begins(self, connection)
        self.stream(connection, chunks, complete, now_s)

    def stream(self, connection: UpstreamExchange, chunks: list[bytes], complete: bool, now_s: float) -> None:
        """The head of an answer that goes on has been written."""
        target = self.target
        if self.exchange.paused and not complete:
            connection.pause_response(True)  # earlier answers congested the client: we are told only when it ends
        if self.entered == "half_open" and target is not None and self.status < 500:
            tell_target(self.service, target, self.entered, True, now_s, self.means.log)
            self.entered = None  # a trial is decided by the head: a stream may never end
        self.response_body(chunks, complete)

    def response_body(self, chunks: list[bytes], complete: bool) -> None:
        exchange = self.exchange
        if self.rare is not None and self.rare.heartbeat is not None:
            self.rare.heartbeat.passed(chunks)
        for chunk in chunks:
            exchange.write(chunk)
        if not complete:
            exchange.flush()
            return
        connection, self.connection = self.connection, None
        self.finish(self.status, "", self.monotonic())
        if connection is not None and connection.trailers:
            exchange.end(connection.trailers)
        else:
            exchange.end()

    def response_failed(self, code: str) -> None:
        trouble.response_failed(self, code)

    # --- accounts --------------------------------------------------------------------------------------------

    def finish(self, status: int, error: str, now_s: float) -> None:
        """Leave the event. Called before the answer's last byte goes out, so that whoever has it finds the event.

        An attempt whose end the target has not been told has succeeded, unless it was answered with a failure.
        """
        if self.finished:
            return
        self.finished = True
        target = self.target
        if self.at_target and target is not None:
            if self.rare is not None or status >= 500 or not target.circuit.steady:
                self.depart(now_s, status < 500)
            else:  # the ordinary case, in short
                self.at_target = False
                target.ended(now_s, True, self.request.upstream_ms / 1000.0)
        service = self.service
        service.inflight -= 1
        if self.rare is not None:
            self.rare.stop_waiting()
            self.rare.release(service, now_s)
        self.means.recorded(
            self.request,
            status,
            error,
            now_s,
            self.attempts,
            self.breaker,
            target.url if target is not None else "",
            self.inflight,
            self.first_byte_ms,
        )

    def depart(self, now_s: float, outcome: Outcome) -> None:
        """The attempt is over: tell the target, its circuit, the service's breaker and the retry budget; once."""
        target, service = self.target, self.service
        if not self.at_target or target is None:
            return
        self.at_target = False
        target.ended(now_s, outcome, self.request.upstream_ms / 1000.0)
        if self.entered is not None or outcome is False:
            tell_target(service, target, self.entered, outcome, now_s, self.means.log)
        rare = self.rare
        if rare is not None:
            if rare.entered is not None:
                tell_service(service, rare.entered, outcome, now_s, self.means.log)
                rare.entered = None
            rare.release(service, now_s)
