"""What a connection becomes when both sides agree to speak another protocol on it (RFC 9110 section 7.8).

    exchange.begin_tunnel(lines, receiver)                  # towards the client: from here on bytes as they are
    connection.upgrade_once(); connection.send(…)           # towards an upstream, and when it has answered 101:
    tunnel = ClientTunnel(connection, receiver); tunnel.begin()

The transport's protocol is replaced, so that connections which are no tunnels know nothing of those that are.
"""

from __future__ import annotations

import asyncio
import binascii
from typing import TYPE_CHECKING, Protocol

from foregate.http1.deadlines import NEVER
from foregate.http1.headers import tokens

if TYPE_CHECKING:
    from foregate.http1.client import ClientConnection
    from foregate.http1.exchange import Exchange
    from foregate.http1.server import ServerConnection

WEBSOCKET = b"websocket"  # the only protocol that anybody can ask for
_KEY_BYTES = 16
_KEY_TEXT_BYTES = 24  # in base64


class TunnelReceiver(Protocol):
    """Who owns the raw bytes after `exchange.begin_tunnel`.

    It sends with `exchange.write` and `flush`, ends with `end` or `abort`, holds the client back with `pause_body`.
    Nothing is flushed for it. After its `end` or `abort` it is told nothing any more.
    """

    def tunnel_data(self, data: bytes) -> None:
        """The next bytes from the client, as they came; never empty."""
        ...

    def tunnel_eof(self) -> None:
        """The client sends no more. Whoever does not call `end` or `abort` now finds the connection closed."""
        ...

    def tunnel_paused(self, paused: bool) -> None:
        """The client reads slower than we write (True), or has caught up (False)."""
        ...

    def request_aborted(self, code: str) -> None:
        """The tunnel was lost; the last call of all. `client_closed`, or why the engine broke it off."""
        ...


class UpstreamReceiver(Protocol):
    """Who owns the raw bytes of an upstream; the rest it hears as the `ResponseReceiver` that it is."""

    def upstream_data(self, data: bytes) -> None:
        """The next bytes, as they came; never empty."""
        ...


def opens_websocket(exchange: Exchange) -> bool:
    """Whether a request is a valid opening handshake (RFC 6455 section 4.2.1), but for its Origin and subprotocols.

    The parser has seen `Connection: upgrade` and an Upgrade field.
    """
    if exchange.method != b"GET" or exchange.version != "1.1" or exchange.has_body:
        return False
    protocols: frozenset[bytes] = frozenset()
    keys, versions = [], []
    for name, value in exchange.headers:
        if name == b"upgrade":
            protocols |= tokens(value)
        elif name == b"sec-websocket-key":
            keys.append(value)
        elif name == b"sec-websocket-version":
            versions.append(value)
    return WEBSOCKET in protocols and versions == [b"13"] and len(keys) == 1 and _is_key(keys[0])


def _is_key(key: bytes) -> bool:
    if len(key) != _KEY_TEXT_BYTES:
        return False
    try:
        return len(binascii.a2b_base64(key, strict_mode=True)) == _KEY_BYTES
    except binascii.Error:
        return False


class ServerTunnel(asyncio.Protocol):
    """Hears what a client's transport says; also its exchange's receiver, for what the connection says."""

    __slots__ = ("_connection", "_exchange", "_receiver")

    def __init__(self, connection: ServerConnection, exchange: Exchange, receiver: TunnelReceiver) -> None:
        self._connection = connection
        self._exchange = exchange
        self._receiver = receiver

    def begin(self) -> None:
        connection, exchange = self._connection, self._exchange
        exchange.receiver = self
        transport = connection.transport
        if transport is None or transport.is_closing():
            return  # connection_lost() is on its way, and will say so
        # A tunnel is like a request without an end: what a client still sends must not destroy what we said last. Over
        # TLS, which knows no half-close, whoever waits for the end would wait in vain.
        exchange.complete = exchange.told_complete = not transport.can_write_eof()
        transport.set_protocol(self)
        if early := connection.take_early():
            self.data_received(early)

    # --- called by the loop ----------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        if not exchange.answered:
            exchange.request_bytes += len(data)
            self._receiver.tunnel_data(data)

    def eof_received(self) -> bool:
        if not self._exchange.answered:
            self._receiver.tunnel_eof()
        return False

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)

    # --- exchange.RequestReceiver ----------------------------------------------------------------------------

    def request_body(self, chunks: list[bytes], complete: bool) -> None:
        """There is none."""

    def response_paused(self, paused: bool) -> None:
        self._receiver.tunnel_paused(paused)

    def request_aborted(self, code: str) -> None:
        self._receiver.request_aborted(code)


class ClientTunnel(asyncio.Protocol):
    """Hears what an upstream's transport says, once it has answered 101 to `receiver`.

    What concerns the connection is told as for any answer that goes on: `request_paused`, and `response_failed` when it
    was lost. The connection's `pause_response`, `close` and `abandon` mean what they meant.
    """

    __slots__ = ("_connection", "_receiver")

    def __init__(self, connection: ClientConnection, receiver: UpstreamReceiver) -> None:
        self._connection = connection
        self._receiver = receiver

    def begin(self) -> None:
        """Take over the transport. Its silence is the receiver's matter from now on."""
        connection = self._connection
        connection.timeout_s = connection.deadline_s = NEVER
        if connection.transport is not None:
            connection.transport.set_protocol(self)

    def write(self, data: bytes) -> None:
        transport = self._connection.transport
        if transport is not None and not transport.is_closing():
            transport.write(data)

    # --- called by the loop ----------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._receiver.upstream_data(data)

    def eof_received(self) -> bool:
        return False  # it closes: who speaks through us has nobody left to listen to

    def pause_writing(self) -> None:
        self._connection.pause_writing()

    def resume_writing(self) -> None:
        self._connection.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)
