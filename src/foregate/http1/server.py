"""The server side of one connection: hand requests over in order, write answers, time out, refuse, close."""

import asyncio
from typing import cast

from foregate.http1.context import ServerContext
from foregate.http1.deadlines import NEVER
from foregate.http1.exchange import Exchange
from foregate.http1.head import Refusal
from foregate.http1.intake import RequestIntake
from foregate.http1.last import last_answer
from foregate.kernel import limits

__all__ = ["ServerConnection", "ServerContext"]

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113 section 3.4
_LINGER_S = 2.0  # how long we go on discarding what a refused client still sends, so that it can read the refusal


class ServerConnection(asyncio.Protocol):
    """One client's connection. Requests are answered in their order; pipelined ones wait, at most a bounded number."""

    __slots__ = (
        "_advancing",
        "_awaits_head",
        "_body_paused",
        "_closing",
        "_held",
        "_intake",
        "_pace_bytes",
        "_pace_s",
        "_paced",
        "_reading",
        "congested",
        "context",
        "deadline_s",
        "out",
        "peer",
        "transport",
    )

    def __init__(self, context: ServerContext) -> None:
        self.context = context
        self._intake = RequestIntake(self, context.body_bytes_max, context.requests_per_connection_max)
        self._advancing = False
        self._awaits_head = False
        self._closing = False  # nothing more is served; what still comes is discarded
        self._reading = True
        self._held: bytes | None = b""  # what may yet become the preface of HTTP/2; None once it is clear
        self._body_paused = False
        self._paced: Exchange | None = None  # whose body's rate is being measured, since when, from which size
        self._pace_s = 0.0
        self._pace_bytes = 0
        self.congested = False  # the client reads slower than we write
        self.deadline_s = NEVER
        self.out: list[bytes] = []
        self.peer = ""  # the client's address; "" for all Unix peers: they have none, and are local
        self.transport: asyncio.Transport | None = None

    def drain(self) -> None:
        """Each answer asks the context whether to close."""

    def close_if_idle(self) -> None:
        """Close unless a request is being read or answered."""
        if self.transport is not None and not self._intake.queue and not self._intake.head_bytes:
            self._closing = True
            self.transport.close()

    # --- called by the loop ----------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its bases
        if not self.peer:
            name = transport.get_extra_info("peername")
            self.peer = str(name[0]) if isinstance(name, tuple) else ""
        self.transport.set_write_buffer_limits(high=limits.WRITE_BUFFER_BYTES_HIGH)
        self.context.deadlines.watch(self)
        self._await(self.context.idle_timeout_s)
        if self not in self.context.connections and not self.context.admit(self):
            self._closing = True
            # Not at once: a transport that is closed while it is being made never says that it is lost.
            asyncio.get_running_loop().call_soon(self._turn_away)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._closing = True
        self.context.dismiss(self)
        self.context.deadlines.forget(self)
        self._abandon("client_closed")
        self._intake.close()

    def eof_received(self) -> bool:
        """A client that stops sending has left: the transport closes and the upstream is released.

        RFC 9112 section 9.6 allows a client to close its sending half alone and still wait for the answer. To us both
        look alike until we write, which for a slow upstream or a quiet stream may be never; so, as nginx does by
        default (499), we take the common case, a client that is gone, and spare the upstream the work.
        """
        return False

    def pause_writing(self) -> None:
        self.congested = True
        self._await(self.context.idle_timeout_s)  # a client that reads nothing for so long is gone
        queue = self._intake.queue
        if queue and (receiver := queue[0].receiver) is not None:
            receiver.response_paused(True)

    def resume_writing(self) -> None:
        self.congested = False
        queue = self._intake.queue
        if not queue:
            self._await(self.context.idle_timeout_s)
            return
        self.deadline_s = NEVER
        if not queue[0].started:
            self._advance()
        elif (receiver := queue[0].receiver) is not None:
            receiver.response_paused(False)

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        intake = self._intake
        queue = intake.queue
        if intake.repeat(data):
            plain = len(queue) == 1
        else:
            if self._held is not None and not (data := self._first(data)):
                return
            waiting = len(queue)
            intake.parse(data)
            plain = not (waiting or intake.backlog or intake.filling is not None) and len(queue) == 1
            plain = plain and intake.refusal is None
        if not plain or self.congested:
            self._advance()
            return
        # The ordinary case, which _advance would only reach by detours: one whole request, and nothing else to do.
        exchange = queue[0]
        exchange.started = True
        if not exchange.inbox:
            exchange.told_complete = True
        self._awaits_head = False
        self.deadline_s = NEVER
        self.context.application(exchange)
        if queue and (exchange.answered or not exchange.told_complete):  # otherwise `finished` has done the rest
            self._advance()

    def _first(self, data: bytes) -> bytes:
        """The connection's first bytes, unless they are, or may become, the preface of HTTP/2: then b""."""
        held, self._held, data = self._held, None, (self._held or b"") + data
        context, transport = self.context, self.transport
        if context.http2 is None or transport is None or not _PREFACE.startswith(data[: len(_PREFACE)]):
            return data
        if len(data) < len(_PREFACE):
            self._held = data
            if not held:
                self._await(context.header_timeout_s)
            return b""
        self._closing = True
        self.deadline_s = NEVER
        context.deadlines.forget(self)
        self._intake.close()
        context.http2(context, transport, self, data)
        return b""

    def expire(self) -> None:
        """Called by the sweep when the deadline has passed."""
        intake, transport = self._intake, self.transport
        if transport is None or self._closing or self.congested:
            self.break_off()
        elif not intake.queue and not intake.head_bytes:
            self._closing = True
            transport.close()
        elif not intake.queue or intake.queue[0] is intake.filling:
            if self._keeps_pace():
                self._await_request()
            else:
                self._refuse(Refusal("request_timeout", ""))
        else:
            self.deadline_s = NEVER

    # --- called by the exchange ------------------------------------------------------------------------------

    def flush(self) -> None:
        """Hand what was written to the transport, in one piece."""
        out, transport = self.out, self.transport
        if out:
            # Between a reset by the client and connection_lost() a transport is closed already, and would raise.
            if transport is not None and not transport.is_closing():
                transport.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()

    def finished(self) -> None:
        """The answer in front is complete."""
        intake, context = self._intake, self.context
        queue = intake.queue
        if len(queue) != 1 or intake.head_bytes or self._closing or self._advancing or not self._reading:
            self._advance()
            return
        exchange = queue[0]
        if exchange.close_after or context.draining or intake.refusal is not None:  # incomplete ones close, too
            self._advance()
            return
        # The ordinary case again: the connection is idle from here.
        queue.clear()
        exchange.receiver = None  # exchange and receiver know one another: a cycle that only the collector would free
        out, transport = self.out, self.transport  # flush(), without the call
        if out and transport is not None and not transport.is_closing():
            transport.write(out[0] if len(out) == 1 else b"".join(out))
        out.clear()
        if not self.congested:
            self.deadline_s = context.clock.monotonic() + context.idle_timeout_s

    def break_off(self) -> None:
        """Close without a proper end."""
        self._closing = True
        self.out.clear()
        if self.transport is not None:
            self.transport.abort()

    def pause_body(self, paused: bool) -> None:
        self._body_paused = paused
        self._set_reading()
        self._await_request()

    def take_early(self) -> bytes:
        """What has come of a tunnel before it was one."""
        early, self._intake.backlog = self._intake.backlog, b""
        self._set_reading()
        return early

    # --- serving in order ------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Hand over what has come, start whose turn it is, refuse what must be refused, write out."""
        if self._advancing:
            return
        self._advancing = True
        try:
            self._serve_queue()
        finally:
            self._advancing = False
        intake = self._intake
        if intake.refusal is not None and not self._closing and (not intake.queue or intake.queue[0] is intake.filling):
            self._refuse(intake.refusal)
            return
        self.flush()
        if not self._closing:
            self._await_request()
            if intake.backlog or not self._reading or self._ahead:
                self._set_reading()

    def _serve_queue(self) -> None:
        intake = self._intake
        queue = intake.queue
        while queue and not self._closing:
            exchange = queue[0]
            if exchange is intake.filling and intake.refusal is not None:
                return
            if not exchange.started:
                if self.congested:
                    return  # it takes no answers: making more of them would only fill our memory
                exchange.started = True
                if not exchange.inbox:
                    exchange.told_complete = exchange.complete
                self.context.application(exchange)
            if not exchange.answered:
                self._deliver(exchange)
                if not exchange.answered:
                    return
            self._leave(exchange)

    def _deliver(self, exchange: Exchange) -> None:
        """Hand over the body that came after the head."""
        if exchange.receiver is not None and (exchange.inbox or exchange.complete is not exchange.told_complete):
            exchange.receiver.request_body(exchange.take_body(), exchange.complete)

    def _leave(self, exchange: Exchange) -> None:
        """An answered exchange makes room for the next one, or for the end of the connection."""
        intake = self._intake
        if self._closing:
            return
        intake.queue.popleft()
        exchange.receiver = None
        self._body_paused = False
        if not exchange.complete:
            self._linger()
        elif exchange.close_after or self.context.draining:
            self._closing = True
            self.flush()
            if self.transport is not None:
                self.transport.close()
        elif intake.backlog and len(intake.queue) < limits.PIPELINED_REQUESTS_MAX:
            intake.feed_backlog()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer a message that cannot be served, if an answer is still possible, and close."""
        self.context.refused(refusal.code)
        queue = self._intake.queue
        begun = bool(queue) and queue[0].head_sent
        silent = queue[0].method == b"HEAD" if queue else self._intake.silent
        self._abandon(refusal.code)
        if begun:
            self.break_off()
            return
        self.out.append(last_answer(refusal, self.context.clock.now(), silent=silent))
        self._linger()

    def _turn_away(self) -> None:
        """There is one connection too many: say so, and close."""
        context = self.context
        context.refused("overloaded")
        if len(context.turned_away) >= limits.TURNED_AWAY_CONNECTIONS_MAX:
            self.break_off()
        elif self.transport is not None:
            context.turned_away.add(self)
            self.out.append(last_answer(Refusal("overloaded", ""), context.clock.now()))
            self._linger()

    def _linger(self) -> None:
        """Close so that the client can read our answer: a hard close with unread data would destroy it."""
        self._closing = True
        self.flush()
        if self.transport is not None and not self.transport.is_closing():
            if self.transport.can_write_eof():  # TLS knows no half-close; "connection: close" has said it
                self.transport.write_eof()
            self._await(_LINGER_S)
            self._set_reading()

    def _abandon(self, code: str) -> None:
        queue = self._intake.queue
        for exchange in queue:
            receiver, exchange.receiver = exchange.receiver, None  # a cycle, also where the answer was broken off
            if exchange.started and not exchange.answered:
                exchange.answered = True
                if receiver is not None:
                    receiver.request_aborted(code)
        queue.clear()

    # --- time and reading ------------------------------------------------------------------------------------

    def _await(self, seconds: float) -> None:
        self.deadline_s = self.context.clock.monotonic() + seconds

    def _await_request(self) -> None:
        """Set the limit for whatever the client owes us now."""
        intake = self._intake
        if self.congested:
            return
        if not intake.queue:
            if not intake.head_bytes:
                self._await(self.context.idle_timeout_s)
            elif not self._awaits_head:
                self._awaits_head = True  # set once per head: a client that drips bytes gains no time
                self._await(self.context.header_timeout_s)
            return
        self._awaits_head = False
        if intake.filling is None or self._body_paused:
            self._paced = None
            self.deadline_s = NEVER
        else:
            self._await_body(intake.filling)

    def _await_body(self, filling: Exchange) -> None:
        """More of a body is owed: no silence longer than the idle limit, and no dripping."""
        context = self.context
        now_s = context.clock.monotonic()
        self.deadline_s = now_s + context.idle_timeout_s
        if filling.head_sent or not filling.started or not context.body_bytes_per_s_min:
            self._paced = None
            return
        if self._paced is not filling:
            self._paced, self._pace_s, self._pace_bytes = filling, now_s, filling.request_bytes
        self.deadline_s = min(self.deadline_s, self._pace_s + context.body_rate_window_s)

    def _keeps_pace(self) -> bool:
        """Whether a window has ended in which enough of the body came; the next one is to begin."""
        context, paced = self.context, self._paced
        now_s = context.clock.monotonic()
        if paced is None or paced is not self._intake.filling or now_s < self._pace_s + context.body_rate_window_s:
            return False
        self._paced = None
        return paced.request_bytes - self._pace_bytes >= context.body_bytes_per_s_min * (now_s - self._pace_s)

    @property
    def _ahead(self) -> bool:
        """Whether a body comes whose turn is not there: nobody has let it in yet, so little of it is kept."""
        filling = self._intake.filling
        return filling is not None and not filling.started and filling.request_bytes > limits.REPLAY_BODY_BYTES_MAX

    def _set_reading(self) -> None:
        intake = self._intake
        full = bool(intake.backlog) or len(intake.queue) >= limits.PIPELINED_REQUESTS_MAX or self._ahead
        want = self._closing or not (self._body_paused or full)
        if want is not self._reading and self.transport is not None and not self.transport.is_closing():
            self._reading = want
            if want:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()
