"""An open WebSocket: bytes both ways through the relay, until both sides have ended or one of them must."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from foregate.gateway.websockets.pace import Pace
from foregate.kernel.errors import ERRORS
from foregate.websocket import Relay
from foregate.websocket.close import GOING_AWAY

if TYPE_CHECKING:
    from foregate.gateway.websockets.open import OpenWebSockets
    from foregate.gateway.websockets.proxied import ProxiedWebSocket
    from foregate.http1.client import ClientConnection
    from foregate.http1.tunnel import ClientTunnel
    from foregate.wire.websocket import WebSocket

CLOSING_S = 5.0  # how long Close frames are waited for; then the connections are broken off
_TICKS_PER_IDLE = 4  # silence is noticed late by at most this part of it
_PING_BYTES = 8


class Tunnel:
    """`http1.tunnel.TunnelReceiver`, and told by its `ProxiedWebSocket` what the upstream does.

    A side that reads slower than the other one sends keeps us from reading the other one. Its event is left at its end.
    """

    __slots__ = (
        "_begun_s",
        "_congested",
        "_connection",
        "_counted",
        "_ended",
        "_exchange",
        "_heard",
        "_heard_s",
        "_idle_s",
        "_open",
        "_pace",
        "_paced",
        "_ping_s",
        "_pinged_s",
        "_proxied",
        "_received",
        "_relay",
        "_resuming",
        "_tick_s",
        "_timer",
        "_to_upstream",
    )

    def __init__(
        self,
        proxied: ProxiedWebSocket,
        connection: ClientConnection,
        upstream: ClientTunnel,
        settings: WebSocket,
        deflate: bool,
        open_: OpenWebSockets,
    ) -> None:
        self._proxied = proxied
        self._exchange = proxied.exchange
        self._connection = connection
        self._to_upstream = upstream
        self._open = open_
        rng = proxied.means.rng
        self._relay = Relay(
            deflate=deflate,
            frame_bytes_max=settings.frame_bytes_max,
            message_bytes_max=settings.message_bytes_max,
            mask=lambda: rng.randbytes(4),
        )
        self._ended = False
        self._congested = self._paced = False  # why the client is not read
        self._resuming: asyncio.TimerHandle | None = None
        self._pace = Pace.of(settings.messages_per_s_max, settings.bytes_per_s_max)
        self._begun_s = now_s = proxied.monotonic()
        self._received = 0  # bytes from the upstream
        self._heard = self._counted = (0, 0)  # bytes of both sides; messages of both sides
        self._heard_s = [now_s, now_s]
        self._idle_s, self._ping_s, self._pinged_s = settings.idle_timeout_s, settings.ping_s, now_s
        self._tick_s = min(self._idle_s / _TICKS_PER_IDLE, self._ping_s / 2.0 or self._idle_s)
        self._timer = asyncio.get_running_loop().call_later(self._tick_s, self._tick)
        open_.add(self)

    # --- http1.TunnelReceiver: what the client does -----------------------------------------------------------

    def tunnel_data(self, data: bytes) -> None:
        if self._ended:
            return
        relay = self._relay
        relay.from_client(data)
        if relay.closing:
            self._close()
            return
        self._flush_upstream()
        if self._pace is not None:
            self._keep_pace(self._pace, len(data))

    def tunnel_eof(self) -> None:
        self.request_aborted("client_closed")

    def tunnel_paused(self, paused: bool) -> None:
        self._connection.pause_response(paused)

    def request_aborted(self, code: str) -> None:
        if not self._ended:
            self._relay.lost(self._relay.client, code)
            self._close()

    # --- what the upstream does -------------------------------------------------------------------------------

    def upstream_data(self, data: bytes) -> None:
        if self._ended:
            return
        self._received += len(data)
        relay = self._relay
        relay.from_upstream(data)
        if relay.closing:
            self._close()
        else:
            self._flush_client()

    def upstream_paused(self, paused: bool) -> None:
        self._congested = paused
        self._read_client()

    def upstream_lost(self, code: str) -> None:
        if not self._ended:
            self._relay.lost(self._relay.upstream, code)
            self._close()

    # --- sending ----------------------------------------------------------------------------------------------

    def _flush_upstream(self) -> None:
        out = self._relay.upstream.out
        if out:
            self._to_upstream.write(out[0] if len(out) == 1 else b"".join(out))
            out.clear()

    def _flush_client(self) -> None:
        out = self._relay.client.out
        if out:
            exchange = self._exchange
            for chunk in out:
                exchange.write(chunk)
            out.clear()
            exchange.flush()

    # --- time -------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """Look who has been heard, end what is idle, ask for signs of life."""
        relay, now_s = self._relay, self._proxied.monotonic()
        self._timer = asyncio.get_running_loop().call_later(self._tick_s, self._tick)
        self._count_messages()
        heard, before = (self._exchange.request_bytes, self._received), self._heard
        self._heard = heard
        for side in (0, 1):
            if heard[side] != before[side]:
                self._heard_s[side] = now_s
        if self._paced:
            self._heard_s[0] = now_s  # it is we who do not listen
        # Without pings one side may be silent for as long as it likes; with them each of them owes pongs.
        since_s = min(self._heard_s) if self._ping_s else max(self._heard_s)
        if now_s - since_s >= self._idle_s:
            relay.fail(GOING_AWAY, "nothing was heard for too long", "websocket_idle")
            self._close()
        elif self._ping_s and now_s - self._pinged_s >= self._ping_s - self._tick_s / 2.0:  # rather early than late
            self._pinged_s = now_s
            relay.ping(self._proxied.means.rng.randbytes(_PING_BYTES))
            self._flush_client()
            self._flush_upstream()

    def _keep_pace(self, pace: Pace, size: int) -> None:
        """Read no more from a client that sends too fast, until its rates allow it."""
        wait_s = pace.take(self._proxied.monotonic(), self._relay.client.reader.messages, size)
        if wait_s > 0.0 and not self._paced:
            self._paced = True
            self._read_client()
            self._resuming = asyncio.get_running_loop().call_later(wait_s, self._paced_enough)

    def _paced_enough(self) -> None:
        self._paced = False
        self._read_client()

    def _read_client(self) -> None:
        if not self._ended:
            self._exchange.pause_body(self._congested or self._paced)

    def _count_messages(self) -> None:
        readers = self._relay.client.reader, self._relay.upstream.reader
        messages, before = (readers[0].messages, readers[1].messages), self._counted
        self._counted = messages
        self._open.count(messages[0] - before[0], messages[1] - before[1])

    # --- the end ----------------------------------------------------------------------------------------------

    def go_away(self) -> None:
        """This worker ends soon."""
        self._relay.fail(GOING_AWAY, "this gateway is going away", "")
        self._close()

    def _close(self) -> None:
        """The end has begun: wait for what both sides still have to say, but not for long."""
        if self._ended:
            return
        if self._relay.over:
            self._end()
            return
        self._flush_client()
        self._flush_upstream()
        if self._relay.client.gone:
            self._connection.pause_response(False)  # nothing holds back any more what is read to be dropped
        elif self._relay.upstream.gone:
            self._exchange.pause_body(False)
        if self._tick_s:
            self._tick_s = 0.0  # from now on this is the only timer
            self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(CLOSING_S, self._end)

    def _end(self) -> None:
        """The event first, so that who hears of the end finds it; then the last bytes and both connections' ends."""
        if self._ended:
            return
        self._ended = True
        self._timer.cancel()
        if self._resuming is not None:
            self._resuming.cancel()
        self._count_messages()
        self._open.remove(self)
        self._account()
        relay, exchange, connection = self._relay, self._exchange, self._connection
        self._flush_client()
        self._flush_upstream()
        if relay.client.cut or not relay.client.over:
            exchange.abort()
        else:
            exchange.end()
        if relay.upstream.cut or not relay.upstream.over:
            connection.abandon(self._proxied)
        else:
            connection.deadline_s = self._proxied.monotonic() + CLOSING_S  # for an upstream that does not read its end
            connection.close()
        relay.forget()
        self._proxied.forget()

    def _account(self) -> None:
        """A WebSocket is judged by its handshake: its latency is how long that took, not how long it was open."""
        proxied, relay = self._proxied, self._relay
        request, now_s = proxied.request, proxied.monotonic()
        if relay.error and ERRORS[relay.error].fault == "upstream":
            proxied.depart(now_s, False)
        request.protocol = "websocket"
        request.note(f"websocket:{relay.code}")
        request.started_s += now_s - self._begun_s
        proxied.finish(101, relay.error, now_s)
