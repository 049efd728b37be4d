"""One proxied request from its head to its event: the hot path.

A `Proxied` is told what the client does (`exchange.RequestReceiver`) and what the upstream does
(`client.ResponseReceiver`), and carries bytes between them. It always ends in `_finish`, once.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import NamedTuple

from foregate.gateway import layout
from foregate.gateway.answers import respond_problem, retry_after_line
from foregate.gateway.heads import RequestNotes, answer_lines
from foregate.gateway.policies import retry
from foregate.gateway.record import Recorder
from foregate.gateway.table import RouteEntry
from foregate.gateway.upstream import TargetState, choose, retry_after_s
from foregate.http1.client import ClientConnection, frame
from foregate.http1.exchange import Exchange
from foregate.kernel.errors import ERRORS
from foregate.kernel.limits import REPLAY_BODY_BYTES_MAX
from foregate.wire.event import BreakerOutcome, LimitOutcome, RequestEvent

Log = Callable[[str, dict[str, object]], None]  # (what happened, its facts); never called on the ordinary path


class Means(NamedTuple):
    """What all requests of a worker share."""

    recorder: Recorder
    rng: random.Random
    log: Log


class Proxied:
    """State of one request on its way. Made once all policies have let it pass."""

    __slots__ = (
        "_at_target",
        "_attempt_s",
        "_attempts",
        "_body",
        "_breaker",
        "_connection",
        "_exchange",
        "_finished",
        "_first_byte_ms",
        "_forward",
        "_inflight",
        "_judged",
        "_key_id",
        "_limit",
        "_means",
        "_notes",
        "_path",
        "_pending",
        "_recorder",
        "_route",
        "_started_s",
        "_status",
        "_target",
        "_upstream_ms",
    )

    def __init__(
        self,
        exchange: Exchange,
        route: RouteEntry,
        notes: RequestNotes,
        path: bytes,
        forward: bytes,
        key_id: str,
        limit: LimitOutcome,
        started_s: float,
        means: Means,
    ) -> None:
        self._exchange = exchange
        self._route = route
        self._notes = notes
        self._path = path
        self._forward = forward
        self._key_id = key_id
        self._limit: LimitOutcome = limit
        self._started_s = started_s
        self._means = means
        self._recorder = means.recorder
        # All of it that has come, while it is kept for a retry; None once it has grown too large for that.
        self._body: list[bytes] | None = exchange.take_body()
        self._attempts = 0
        self._attempt_s = started_s
        self._upstream_ms = 0.0
        self._first_byte_ms = 0.0
        self._breaker: BreakerOutcome = "none"
        self._target: TargetState | None = None
        self._connection: ClientConnection | None = None
        self._pending: asyncio.Task[None] | asyncio.TimerHandle | None = None  # a connection to come, a retry to make
        self._judged = True
        self._at_target = False
        self._status = 0  # of the answer, once it has begun
        self._finished = False
        service = route.service
        service.inflight += 1
        self._inflight = service.inflight
        exchange.receiver = self

    # --- towards the upstream --------------------------------------------------------------------------------

    def attempt(self, now_s: float) -> None:
        """Choose a target and send the request to it."""
        service = self._route.service
        target = choose(service, now_s, self._target)
        if target is None:
            self._breaker = "open"
            self._recorder.count(service.slots + layout.BROKEN)
            self._give_up("circuit_open", retry_after_line(retry_after_s(service, now_s)))
            return
        self._attempts += 1
        if self._attempts > 1:
            self._recorder.count(service.slots + layout.RETRIES)
        self._target = target
        self._breaker = target.circuit.enter(now_s)
        self._judged = False
        self._at_target = True
        target.inflight += 1
        self._attempt_s = now_s
        connection = target.pool.take()
        if connection is not None:
            self.connected(connection)
        else:
            self._pending = target.pool.connect(self)

    def _attempt_again(self) -> None:
        self._pending = None
        self.attempt(self._recorder.clock.monotonic())

    def connected(self, connection: ClientConnection) -> None:
        """There is a connection: send the head and what there is of the body."""
        target, exchange = self._target, self._exchange
        assert target is not None  # noqa: S101 - it was chosen before connecting
        self._pending = None
        self._connection = connection
        chunked, complete = exchange.head.chunked, exchange.told_complete
        body = self._body
        data = b"".join(
            (exchange.method, b" ", target.prefix, self._path, b" HTTP/1.1\r\n", target.host_line, self._forward)
        )
        if body or chunked:
            data += frame(body or [], complete) if chunked else b"".join(body or [])
            self._keep_bounded()
        connection.send(
            self,
            data,
            self._route.service.settings.timeout_s,
            head_only=exchange.method == b"HEAD",
            complete=complete,
            chunked=chunked,
        )
        if not complete:
            exchange.pause_body(connection.congested)

    def connect_failed(self, code: str) -> None:
        self._pending = None
        self._attempt_failed(0, code)

    def _keep_bounded(self) -> None:
        """A body that has grown too large to be kept can no longer be sent twice."""
        if self._exchange.request_bytes > REPLAY_BODY_BYTES_MAX:
            self._body = None

    # --- RequestReceiver: what the client does ---------------------------------------------------------------

    def request_body(self, chunks: list[bytes], complete: bool) -> None:
        if self._body is not None:
            self._body += chunks
        if self._connection is not None:
            self._connection.write(chunks, complete)
            self._keep_bounded()
        elif self._exchange.request_bytes > REPLAY_BODY_BYTES_MAX and not complete:
            self._exchange.pause_body(True)  # nowhere to send it yet

    def request_aborted(self, code: str) -> None:
        if self._finished:
            return
        connection, self._connection = self._connection, None
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None
        self._judge("left")
        if connection is not None:
            connection.abandon()
        self._finish(ERRORS[code].status, code, self._recorder.clock.monotonic())

    def response_paused(self, paused: bool) -> None:
        if self._connection is not None:
            self._connection.pause_response(paused)

    # --- ResponseReceiver: what the upstream does ------------------------------------------------------------

    def request_paused(self, paused: bool) -> None:
        if not self._exchange.told_complete:
            self._exchange.pause_body(paused)

    def response_head(self, connection: ClientConnection, chunks: list[bytes], complete: bool) -> None:
        now_s = self._recorder.clock.monotonic()
        status = connection.status
        self._upstream_ms = (now_s - self._attempt_s) * 1000.0
        if status in retry.RETRYABLE_STATUS and self._retry_later(status, ""):
            if not complete:
                connection.abandon()
            return
        target = self._target
        if status < 500 and self._breaker == "closed" and target is not None and target.circuit.steady:
            self._judged = True
        else:
            self._judge("succeeded" if status < 500 else "failed")
        self._status = status
        self._first_byte_ms = (now_s - self._started_s) * 1000.0
        exchange = self._exchange
        lines = answer_lines(
            status,
            connection.headers,
            self._notes.request_id,
            self._route.service.header_line,
            self._first_byte_ms,
        )
        length = connection.content_length
        if length is None and complete and exchange.method != b"HEAD" and status != 304:
            length = sum(map(len, chunks))  # it has all come: no need for chunks
        if not complete:
            exchange.send_head(status, lines, length)
            if exchange.paused:
                connection.pause_response(True)  # earlier answers congested the client: we are told only when it ends
            self.response_body(chunks, complete)
            return
        exchange.send_whole(status, lines, length, chunks)
        self._connection = None
        self._finish(status, "", now_s)
        exchange.end()

    def response_body(self, chunks: list[bytes], complete: bool) -> None:
        exchange = self._exchange
        for chunk in chunks:
            exchange.write(chunk)
        if complete:
            self._connection = None
            self._finish(self._status, "", self._recorder.clock.monotonic())
            exchange.end()
        else:
            exchange.flush()

    def response_failed(self, code: str) -> None:
        connection, self._connection = self._connection, None
        target = self._target
        if self._status:
            if target is not None:
                self._note(target, "failed", target.circuit.state)
            self._finish(self._status, code, self._recorder.clock.monotonic())
            self._exchange.abort()
            return
        repeatable = self._exchange.method in retry.IDEMPOTENT or self._notes.repeatable
        dead = connection is not None and connection.reused and not connection.answered and code == "upstream_closed"
        if dead and repeatable and self._body is not None and target is not None:
            self._pending = target.pool.connect(self)  # it had closed its idle connection: no failure of anybody
            return
        self._attempt_failed(0, code)

    # --- when an attempt has failed --------------------------------------------------------------------------

    def _attempt_failed(self, status: int, code: str) -> None:
        self._upstream_ms = (self._recorder.clock.monotonic() - self._attempt_s) * 1000.0
        if code and ERRORS[code].fault == "ours":
            self._judge("left")  # before a retry could call it the target's failure
        if not self._retry_later(status, code):
            self._judge("failed")
            self._give_up(code, b"")

    def _retry_later(self, status: int, code: str) -> bool:
        """Plan another attempt, if this one deserves it and somebody would take it."""
        service = self._route.service
        if self._exchange.answered:
            return False
        attempted = retry.Attempted(
            self._attempts,
            status,
            code,
            self._exchange.method in retry.IDEMPOTENT or self._notes.repeatable,
            self._body is not None,
            self._status != 0,
        )
        wait_s = retry.decide(attempted, service.settings.retry, self._means.rng)
        if wait_s is None:
            return False
        self._judge("failed")
        if choose(service, self._recorder.clock.monotonic() + wait_s, self._target) is None:
            return False  # nobody would take it then: better the failure that we have than a wait for another one
        self._depart()
        self._connection = None
        self._pending = asyncio.get_running_loop().call_later(wait_s, self._attempt_again)
        return True

    def _give_up(self, code: str, lines: bytes) -> None:
        """Answer with a problem of our own."""
        exchange = self._exchange
        now_s = self._recorder.clock.monotonic()
        first_byte_ms = (now_s - self._started_s) * 1000.0
        self._first_byte_ms = first_byte_ms
        lines += self._route.service.header_line + b"x-gateway-response-time: %.2f\r\n" % first_byte_ms
        self._finish(ERRORS[code].status, code, now_s)
        respond_problem(exchange, code, self._notes.request_id, lines)
        exchange.flush()

    # --- accounts --------------------------------------------------------------------------------------------

    def _judge(self, outcome: str) -> None:
        """Tell the target's circuit how the attempt went (succeeded, failed, left); once per attempt."""
        if not self._judged and self._target is not None:
            self._judged = True
            self._note(self._target, outcome, self._breaker)

    def _note(self, target: TargetState, outcome: str, entered: str) -> None:
        circuit = target.circuit
        if outcome == "failed":
            self._recorder.count(target.slots + layout.FAILURES)
        if entered != circuit.state:
            return  # it was sent before the circuit changed: it proves nothing about now
        if outcome == "succeeded":
            changed = circuit.succeeded()
        elif outcome == "failed":
            changed = circuit.failed(self._recorder.clock.monotonic())
        else:
            changed = False
            circuit.left()
        if changed:
            closed = circuit.state == "closed"
            self._recorder.put(target.slots + layout.CIRCUIT_OPEN, 0.0 if closed else 1.0)
            facts: dict[str, object] = {"service": self._route.service.name, "target": target.url}
            self._means.log("circuit closed" if closed else "circuit opened", facts)

    def _depart(self) -> None:
        """The target is rid of this attempt."""
        if self._at_target and self._target is not None:
            self._at_target = False
            self._target.inflight -= 1

    def _finish(self, status: int, error: str, now_s: float) -> None:
        """Leave the event. Called before the answer's last byte goes out, so that whoever has it finds the event."""
        if self._finished:
            return
        self._finished = True
        target = self._target
        if self._at_target and target is not None:
            self._at_target = False
            target.inflight -= 1
        route, recorder, exchange, notes = self._route, self._recorder, self._exchange, self._notes
        service = route.service
        service.inflight -= 1
        event = RequestEvent(
            recorder.clock.now(),
            recorder.org,
            service.name,
            route.path,
            exchange.method.decode(),
            status,
            (now_s - self._started_s) * 1000.0,
            self._upstream_ms,
            exchange.request_bytes,
            exchange.response_bytes,
            self._key_id,
            recorder.environment,
            notes.request_id,
            notes.trace_id,
            notes.span_id,
            self._attempts,
            self._limit,
            self._breaker,
            "none",
            error,
            target.url if target is not None else "",
            self._inflight,
            self._first_byte_ms,
        )
        recorder.finished(event, route.slots)
