"""An opening handshake on its way: a GET like any other, until an upstream answers 101."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from foregate.gateway.forwarding import Proxied, trouble
from foregate.gateway.websockets.tunnel import Tunnel
from foregate.http1.client import ClientConnection
from foregate.http1.tunnel import ClientTunnel
from foregate.websocket import Agreed, accept_of

if TYPE_CHECKING:
    from foregate.gateway.forwarding import Forwarding
    from foregate.gateway.request import Request
    from foregate.gateway.websockets.open import OpenWebSockets
    from foregate.http1.asking import UpstreamExchange
    from foregate.wire.websocket import WebSocket

_CRLF = b"\r\n"
_OURS = b"sec-websocket-accept:"  # the upstream's fits our key, not the client's


class Opening(NamedTuple):
    """What the policy has let pass. `key` is ours towards the upstream; the others are offered to it."""

    settings: WebSocket
    key: bytes
    extensions: tuple[bytes, ...]
    subprotocols: tuple[bytes, ...]

    @property
    def lines(self) -> bytes:
        """The fields that ask the upstream for it."""
        lines = b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
        lines += b"sec-websocket-key: %s\r\n" % self.key
        if self.extensions:
            lines += b"sec-websocket-extensions: %s\r\n" % b", ".join(self.extensions)
        if self.subprotocols:
            lines += b"sec-websocket-protocol: %s\r\n" % b", ".join(self.subprotocols)
        return lines


class BadHandshake(Exception):
    """An upstream's 101 that agrees to something else than it was asked."""


class ProxiedWebSocket(Proxied):
    """It has an attempt after another until one answers; 101 makes it a tunnel, anything else is an ordinary answer."""

    __slots__ = ("_open", "_opening", "_tunnel")

    def __init__(self, request: Request, means: Forwarding, opening: Opening, open_: OpenWebSockets) -> None:
        self._opening = opening
        self._open = open_
        self._tunnel: Tunnel | None = None
        super().__init__(request, request.forward(opening.lines), False, means)

    def connected(self, connection: UpstreamExchange) -> None:
        if not isinstance(connection, ClientConnection):
            # A stream of HTTP/2: RFC 8441 is not spoken to upstreams.
            self.pending = None
            connection.abandon(None)
            self.depart(self.monotonic(), None)
            trouble.give_up(self, "websocket_unsupported")
            return
        connection.upgrade_once()
        super().connected(connection)

    def answer(self, connection: UpstreamExchange, chunks: list[bytes], complete: bool, now_s: float) -> None:
        if self.status != 101 or not isinstance(connection, ClientConnection):
            super().answer(connection, chunks, complete, now_s)
            return
        opening = self._opening
        agreed = Agreed(connection.headers, opening.key, opening.extensions, opening.subprotocols)
        if agreed.problem:
            self._misunderstood(connection, agreed.problem)
            return
        fields = self._fields(connection, False)
        if fields is None:
            return  # a policy failed, and the client was told so
        lines = self._lines(fields)
        upstream = ClientTunnel(connection, self)
        self._tunnel = Tunnel(self, connection, upstream, opening.settings, agreed.deflate, self._open)
        upstream.begin()
        self.exchange.begin_tunnel(lines, self._tunnel)
        self.stream(connection, [], False, now_s)
        if chunks[0]:
            self._tunnel.upstream_data(chunks[0])

    def _lines(self, fields: bytes) -> bytes:
        """The fields of the 101 for the client."""
        request = self.request
        kept = [line for line in fields.split(_CRLF)[1:] if line and not line.startswith(_OURS)]
        kept.append(f"x-gateway-response-time: {self.first_byte_ms:.2f}\r\nx-request-id: {request.request_id}".encode())
        if (key := request.header(b"sec-websocket-key")) is not None:  # HTTP/2 needs none
            kept.append(b"sec-websocket-accept: " + accept_of(key))
        return _CRLF.join(kept) + _CRLF + request.answer_lines

    def _misunderstood(self, connection: ClientConnection, problem: str) -> None:
        self.means.failures.failed("websocket_handshake_malformed", BadHandshake(problem), service=self.service.name)
        self.status = 0
        self.connection = None
        connection.abandon(self)
        trouble.attempt_failed(self, "upstream_malformed")

    # --- client.ResponseReceiver: what the upstream does, once there is a tunnel ------------------------------

    def upstream_data(self, data: bytes) -> None:
        if self._tunnel is not None:
            self._tunnel.upstream_data(data)

    def request_paused(self, paused: bool) -> None:
        if self._tunnel is not None:
            self._tunnel.upstream_paused(paused)

    def response_failed(self, code: str) -> None:
        if self._tunnel is not None:
            self._tunnel.upstream_lost(code)
        elif not self.finished:
            super().response_failed(code)

    def forget(self) -> None:
        """The tunnel has ended: here end the cycles, which only the collector would free."""
        self._tunnel = self.connection = None
