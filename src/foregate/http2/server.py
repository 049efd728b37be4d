"""The server side of one HTTP/2 connection: streams to exchanges, windows to back-pressure, floods to an end.

libnghttp2 holds the protocol (RFC 9113); here stand what is served, what is paid for, what waits and for how long. It
is entered by `take_over`, from a connection of HTTP/1.1 whose client began with the preface of HTTP/2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import ngh2

from foregate.http1.head import Refusal, RequestHead
from foregate.http2.calm import Purse
from foregate.http2.exchange import Exchange
from foregate.http2.outbox import Outbox
from foregate.http2.request import Asked, Requests
from foregate.http2.session import ENHANCE_YOUR_CALM, NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, goaway, server_session
from foregate.kernel import limits

if TYPE_CHECKING:
    from foregate.http1.context import Connected, ServerContext

_LINGER_S = 2.0  # how long a connection may take to swallow what was said last
_CHECKS = 4  # of the streams, within the shortest time limit of a stream
_PAID_FRAMES = (ngh2.PingReceived, ngh2.SettingsReceived, ngh2.PriorityUpdateReceived, ngh2.WindowUpdated)
_REQUEST_EARNS = 4.0  # frames that a client may send around a request
_BYTES_EARN = 1.0 / 256.0  # and for each byte that we sent: WINDOW_UPDATEs, however small its pieces
_ROUNDS = 16  # of handing over what was written, H2_STREAM_QUEUE_BYTES of each stream at a time

Soon = Callable[[Callable[[], None]], object]


def take_over(
    context: ServerContext,
    transport: asyncio.Transport,
    predecessor: Connected,
    data: bytes,
    soon: Soon | None = None,
) -> None:
    """Go on with a client that began with the preface of HTTP/2 in `data` (`ServerContext.http2`).

    `soon` calls after what is being done now; without it the running loop does.
    """
    connection = Http2Connection(context, transport, predecessor.peer, soon or asyncio.get_running_loop().call_soon)
    context.succeed(predecessor, connection)
    transport.set_protocol(connection)
    connection.data_received(data)


class Http2Connection(asyncio.Protocol):
    """One client's connection: at most `streams_max` requests at a time, each with its own back-pressure.

    What of bodies has come and was not taken is bounded by the windows: H2_STREAM_WINDOW_BYTES per stream,
    H2_CONNECTION_WINDOW_BYTES in all. What waits to be sent is bounded by the `Outbox`.
    """

    __slots__ = (
        "_busy", "_cancels", "_check_due_s", "_check_s", "_closing", "_congested", "_engine", "_flushing", "_leaving",
        "_outbox", "_purse", "_requests", "_requests_left", "_reset", "_soon", "context", "deadline_s", "exchanges",
        "last", "peer", "transport",
    )  # fmt: skip

    def __init__(self, context: ServerContext, transport: asyncio.Transport, peer: str, soon: Soon) -> None:
        self.context = context
        self.transport: asyncio.Transport | None = transport
        self.peer = peer
        self.exchanges: dict[int, Exchange] = {}
        self.last = 0  # the newest stream that was served
        self._requests = Requests()
        self._requests_left = context.requests_per_connection_max
        self._reset: set[int] = set()  # streams that the client reset, within one batch of events
        self._soon = soon
        self._busy = False  # what is written goes out at the end of what is being done …
        self._flushing = False  # … or has been asked to go out soon
        self._closing = self._leaving = self._congested = False
        now_s = context.clock.monotonic()
        self._purse = Purse(limits.H2_CONTROL_FRAMES_MAX, limits.H2_CONTROL_FRAMES_PER_S, now_s)
        self._cancels = Purse(limits.H2_CANCELS_MAX, limits.H2_CANCELS_PER_S, now_s)
        self._check_s = min(context.idle_timeout_s, context.body_rate_window_s) / _CHECKS
        self.deadline_s = self._check_due_s = now_s + context.idle_timeout_s
        self._engine = server_session(context.streams_max)
        self._outbox = Outbox(self._engine, self._purse)
        context.deadlines.watch(self)
        if context.draining:
            self.drain()

    # --- called by the loop ----------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        try:
            self._engine.receive_data(data)
        except ngh2.NGH2Error as error:
            self._fail(isinstance(error, ngh2.DenialOfServiceError))
            return
        self._take(self._engine.events())
        self._flush()

    def pause_writing(self) -> None:
        self._congested = True
        self._check_due_s = self.deadline_s
        self.deadline_s = self.context.clock.monotonic() + self.context.idle_timeout_s

    def resume_writing(self) -> None:
        self._congested = False
        self._await()
        if self.exchanges:  # a download that goes on and off puts off nobody's time limit
            self.deadline_s = min(self.deadline_s, self._check_due_s)
        self._flush()

    def eof_received(self) -> bool:
        return False  # as over HTTP/1.1: who stops sending has left

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._closing = True
        self.context.dismiss(self)
        self.context.deadlines.forget(self)
        self._abandon("client_closed")

    def expire(self) -> None:
        """Called by the sweep when the deadline has passed."""
        if self.transport is None or self._closing or self._congested:
            self.break_off()
        elif not self.exchanges:
            self._goodbye(NO_ERROR)
        else:
            now_s = self.context.clock.monotonic()
            self._busy = True
            try:
                for exchange in list(self.exchanges.values()):
                    exchange.check(self._engine.queued_body_size(exchange.stream), now_s)
            finally:
                self._busy = False
            self._await()
            self._flush()

    # --- called by the context -------------------------------------------------------------------------------

    def drain(self) -> None:
        """Say that this connection will end (RFC 9113 section 6.8); what is on its way is still served."""
        if not self._closing:
            self._engine.send_shutdown_notice()
            self._flush()

    def close_if_idle(self) -> None:
        """Close, once what is under way has ended."""
        if not self._closing:
            self._leave()

    def break_off(self) -> None:
        """Close without a proper end."""
        self._closing = True
        if self.transport is not None:
            self.transport.abort()

    # --- called by exchanges ---------------------------------------------------------------------------------

    def soil(self, exchange: Exchange) -> None:
        """It has written something."""
        if not self._closing:
            self._outbox.add(exchange)

    def reset(self, exchange: Exchange, code: int) -> None:
        """End a stream at once, whatever of it is still to be sent."""
        if not self._closing and not exchange.over:
            self._outbox.drop(exchange)
            self._engine.reset_stream(exchange.stream, code)
            self.flush()

    def acknowledge(self, exchange: Exchange, amount: int) -> None:
        """`amount` bytes of a body were taken."""
        if not self._closing and not exchange.over:
            self._engine.acknowledge_received_data(amount, exchange.stream)

    def send_continue(self, exchange: Exchange) -> None:
        if not self._closing and not exchange.over:
            self._engine.send_informational_response(exchange.stream, [(b":status", b"100")])
            self.flush()

    def flush(self) -> None:
        """Have what was written go out, together with what others write until then: answers come in bursts."""
        if not (self._busy or self._flushing):
            self._flushing = True
            self._soon(self._flush)

    def _flush(self) -> None:
        """Hand what was written to the transport, as far as the client's windows let it go."""
        self._flushing = False
        for _ in range(_ROUNDS):
            if not self._send():
                return
        self.flush()  # others shall have their turn

    def _send(self) -> bool:
        """Whether there is more to hand over: somebody was told of an end, or may go on."""
        transport, engine, outbox = self.transport, self._engine, self._outbox
        if self._busy or self._closing or transport is None or transport.is_closing():
            return False
        written = outbox.hand_over()
        if not self._congested:
            if out := engine.data_to_send():
                transport.write(out)
                self._purse.earn(len(out) * _BYTES_EARN)
            if events := engine.events():
                self._take(events)
        if (written or outbox.unsettled) and not self._closing:
            outbox.pause_or_resume(written)
        return outbox.written

    # --- what has come ---------------------------------------------------------------------------------------

    def _take(self, events: list[ngh2.Event]) -> None:
        """Go through a batch, then begin what has begun and deliver what has come: each stream once."""
        if events and isinstance(events[-1], ngh2.ConnectionClosed):
            self._on_end(events[-1])  # libnghttp2 takes nothing any more, so what came before it is too late
            return
        self._busy = True
        fresh: list[Exchange] = []
        fed: dict[Exchange, None] = {}
        try:
            for event in events:
                self._on_event(event, fresh, fed)
                if self._closing:
                    return
            for exchange in fresh:
                if not exchange.answered:
                    self._start(exchange)
            for exchange in fed:
                exchange.deliver()
        finally:
            self._reset.clear()
            self._busy = False

    def _on_event(self, event: ngh2.Event, fresh: list[Exchange], fed: dict[Exchange, None]) -> None:
        if isinstance(event, ngh2.RequestReceived):
            self._on_request(event, fresh)
        elif isinstance(event, ngh2.StreamClosed):
            self._on_closed(event)
        elif isinstance(event, ngh2.DataReceived):
            self._on_data(event, fed)
        elif isinstance(event, _PAID_FRAMES):
            if not self._purse.pay(1.0, self.context.clock.monotonic()):
                self._calm()
        elif isinstance(event, ngh2.StreamReset):
            self._reset.add(event.stream_id)
        elif isinstance(event, ngh2.TrailersReceived):
            self._on_trailers(event, fed)

    def _on_request(self, event: ngh2.RequestReceived, fresh: list[Exchange]) -> None:
        context = self.context
        stream = event.stream_id
        if self._leaving:  # GOAWAY has told its client to ask again elsewhere
            self._engine.reset_stream(stream, REFUSED_STREAM)
            return
        now_s = context.clock.monotonic()
        if not self.exchanges:
            self.deadline_s = now_s + self._check_s
        self.last = max(self.last, stream)
        self._purse.earn(_REQUEST_EARNS)
        asked = self._requests.read(event.headers, event.end_stream)
        refusal = None
        if isinstance(asked, Refusal):
            refusal, method = asked, dict(event.headers).get(b":method", b"")
            asked = Asked(method, b"/", RequestHead(), [])
        elif (asked.head.content_length or 0) > context.body_bytes_max:
            refusal = Refusal("body_too_large", "")
        exchange = self.exchanges[stream] = Exchange(self, stream, asked, event.end_stream, now_s)
        if refusal is None:
            fresh.append(exchange)
        else:
            exchange.refuse(refusal)
        if self._requests_left:
            self._requests_left -= 1
            if not self._requests_left:
                self._leave()

    def _start(self, exchange: Exchange) -> None:
        """Give a request to the application, with what of its body has come along."""
        if exchange.head.chunked:
            exchange.settle_framing()
        if not exchange.inbox:
            exchange.told_complete = exchange.complete
        self.context.application(exchange)
        exchange.deliver()

    def _on_data(self, event: ngh2.DataReceived, fed: dict[Exchange, None]) -> None:
        exchange = self.exchanges.get(event.stream_id)
        if exchange is None:
            if event.data:
                self._engine.acknowledge_received_data(len(event.data), event.stream_id)
            return
        exchange.body_came(event.data, event.end_stream, self.context.clock.monotonic())
        fed[exchange] = None

    def _on_trailers(self, event: ngh2.TrailersReceived, fed: dict[Exchange, None]) -> None:
        exchange = self.exchanges.get(event.stream_id)
        if exchange is not None:
            exchange.trailers_came(list(event.headers))
            fed[exchange] = None

    def _on_closed(self, event: ngh2.StreamClosed) -> None:
        """A stream is over: answered, taken back by the client, or broken by it."""
        exchange = self.exchanges.pop(event.stream_id, None)
        by_client = event.stream_id in self._reset
        if exchange is not None:
            exchange.over = True
            self._outbox.forget(exchange)
            if left := exchange.give_back():
                self._engine.acknowledge_received_data(left, event.stream_id)
        if exchange is not None and exchange.answered:
            self._cancels.earn(0.0 if event.error_code else 1.0)
        elif exchange is not None or not self._leaving:
            if not by_client:  # its form was wrong; without an exchange its head never came to be a request
                self.context.refused("malformed_request")
            if exchange is not None:
                exchange.lose("client_closed" if by_client else "malformed_request")
            if not self._cancels.pay(1.0, self.context.clock.monotonic()):
                self._calm()
        if exchange is not None:
            exchange.receiver = None  # exchange and receiver know one another
        if not self.exchanges and not self._closing:
            if self._leaving:
                self._goodbye(NO_ERROR)
            else:
                self.deadline_s = self.context.clock.monotonic() + self.context.idle_timeout_s

    def _on_end(self, event: ngh2.ConnectionClosed) -> None:
        """libnghttp2 is done with this connection, and has said why."""
        if event.error_code == NO_ERROR:
            self._close("client_closed")
        else:
            code = "http2_abuse" if event.error_code == ENHANCE_YOUR_CALM else "malformed_request"
            self.context.refused(code)
            self._close(code)

    def _await(self) -> None:
        wait_s = self._check_s if self.exchanges else self.context.idle_timeout_s
        self.deadline_s = self.context.clock.monotonic() + wait_s

    # --- the end ---------------------------------------------------------------------------------------------

    def _leave(self) -> None:
        """Take no more requests, and close with the last answer."""
        if not self._leaving:
            self._leaving = True
            self._engine.send_goaway(NO_ERROR, last_stream_id=self.last)
        if self.exchanges:
            self._flush()
        else:
            self._goodbye(NO_ERROR)

    def _calm(self) -> None:
        """The client has sent too much that only costs."""
        self.context.refused("http2_abuse")
        self._abandon("http2_abuse")
        self._goodbye(ENHANCE_YOUR_CALM)

    def _fail(self, abuse: bool) -> None:
        """libnghttp2 has given up, and says nothing more: the last frame is ours."""
        code = "http2_abuse" if abuse else "malformed_request"
        self.context.refused(code)
        self._say_last(goaway(self.last, ENHANCE_YOUR_CALM if abuse else PROTOCOL_ERROR))
        self._close(code)

    def _goodbye(self, code: int) -> None:
        """Close in good order."""
        if self._closing:
            return
        try:
            self._engine.terminate_connection(code, last_stream_id=self.last)
            self._say_last(self._engine.data_to_send())
        except ngh2.NGH2Error:  # it has gone down by itself
            self._say_last(goaway(self.last, code))
        self._close("client_closed")

    def _say_last(self, data: bytes) -> None:
        if data and self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def _close(self, code: str) -> None:
        self._closing = True
        self.deadline_s = self.context.clock.monotonic() + _LINGER_S  # then it is broken off
        if self.transport is not None:
            self.transport.close()
        self._abandon(code)

    def _abandon(self, code: str) -> None:
        exchanges, self.exchanges = self.exchanges, {}
        self._outbox.clear()
        for exchange in exchanges.values():
            exchange.over = True
            exchange.lose(code)
            exchange.receiver = None
