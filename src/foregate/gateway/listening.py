"""Where a worker listens: its sockets, who is connected to them, and the certificates that are shown there."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from functools import partial

from foregate.gateway import layout
from foregate.gateway.policies.policy import Log
from foregate.http1.accept import Acceptor
from foregate.http1.context import Connected, ServerContext
from foregate.http1.deadlines import Deadlines
from foregate.http1.tls import HTTP1, HTTP2, Certificate, ClientAuthorities, ServerCertificates
from foregate.http2.server import take_over
from foregate.kernel.clock import Clock
from foregate.ports.blocks import Cells
from foregate.wire.snapshot import ClientBounds, Listener

_SWEEP_S = 0.25
_SAID_EVERY_S = 10.0  # a shortage that lasts is logged so often, with how many pauses there have been


class Listening:
    """All listeners of a worker; the bounds of connections hold for them together.

    `handle(exchange, proto="http")` gets the requests; `refused(code)` hears what was refused for its form; the
    worker's `cells` count how often accepting paused. `connections_max` bounds what the configuration says;
    `trusts(peer)` whether a peer may say, by the PROXY protocol, whom it speaks for.
    """

    def __init__(
        self,
        handle: Callable[..., None],
        refused: Callable[[str], None],
        clock: Clock,
        log: Log,
        cells: Cells,
        connections_max: int,
        trusts: Callable[[str], bool] = lambda peer: False,
    ) -> None:
        self._handle = handle
        self._refused = refused
        self._clock = clock
        self._log = log
        self._cells = cells
        self._connections_max = connections_max
        self._trusts = trusts
        self._deadlines = Deadlines(clock, tick_s=_SWEEP_S)
        self._connections: set[Connected] = set()
        self._turned_away: set[Connected] = set()
        self._emptied = asyncio.Event()
        self._addresses: dict[str, int] = {}
        self._contexts: list[ServerContext] = []
        self._acceptors: list[Acceptor] = []
        self._certificates: list[tuple[Listener, ServerCertificates, Acceptor]] = []
        self._say_again_s = 0.0
        self._pauses = 0

    def open(self, sock: socket.socket, listener: Listener, clients: ClientBounds) -> None:
        """Begin to accept on `sock` (bound). Raises BadCertificate."""
        certificates = _certificates(listener) if listener.certificates else None
        context = ServerContext(
            self._handle if certificates is None else partial(self._handle, proto="https"),
            self._clock,
            self._deadlines,
            refused=self._refused,
            header_timeout_s=clients.header_timeout_s,
            idle_timeout_s=clients.idle_timeout_s,
            connections_max=min(clients.connections_max, self._connections_max),
            connections_per_address_max=clients.connections_per_address_max,
            requests_per_connection_max=clients.requests_per_connection_max,
            body_bytes_per_s_min=clients.body_bytes_per_s_min,
            underscores=clients.underscores,
            http2=take_over if listener.http2 else None,
            streams_max=clients.streams_max,
            asks_clients=bool(listener.client_ca_file),
            connections=self._connections,
            turned_away=self._turned_away,
            addresses=self._addresses,
            emptied=self._emptied,
        )
        self._contexts.append(context)
        acceptor = Acceptor(
            sock,
            context,
            tls=certificates.context if certificates is not None else None,
            handshake_timeout_s=clients.handshake_timeout_s,
            paused=self._accepting_paused,
            introduces=self._trusts if listener.proxy_protocol else None,
        )
        self._acceptors.append(acceptor)
        if certificates is not None:
            self._certificates.append((listener, certificates, acceptor))

    def read_certificates(self) -> None:
        """Read them again: new handshakes see them. Raises BadCertificate."""
        for listener, certificates, acceptor in self._certificates:
            certificates.reload(_files(listener))
            acceptor.tls = certificates.context

    @property
    def connections(self) -> int:
        """How many there are, those in their TLS handshake included."""
        return len(self._connections)

    @property
    def draining(self) -> bool:
        return any(context.draining for context in self._contexts)

    async def close(self, timeout_s: float) -> None:
        """Accept nobody any more, let what is under way end for at most `timeout_s`, then break it off."""
        for acceptor in self._acceptors:
            acceptor.stop()
        await asyncio.gather(*(acceptor.settled() for acceptor in self._acceptors))
        await asyncio.gather(*(context.close(timeout_s) for context in self._contexts))

    def stop(self) -> None:
        """Watch no deadlines any more."""
        self._deadlines.stop()

    def _accepting_paused(self, reason: str) -> None:
        self._cells[layout.ACCEPT_PAUSES] += 1.0
        self._pauses += 1
        now_s = self._clock.monotonic()
        if now_s >= self._say_again_s:
            self._say_again_s = now_s + _SAID_EVERY_S
            facts: Mapping[str, object] = {"reason": reason, "times": self._pauses, "connections": self.connections}
            self._log("accepting_paused", dict(facts))
            self._pauses = 0


def _certificates(listener: Listener) -> ServerCertificates:
    clients = None
    if listener.client_ca_file:
        clients = ClientAuthorities(listener.client_ca_file, listener.client_auth == "require")
    return ServerCertificates(_files(listener), alpn=(HTTP2, HTTP1) if listener.http2 else (HTTP1,), clients=clients)


def _files(listener: Listener) -> list[Certificate]:
    return [Certificate(one.certificate, one.key) for one in listener.certificates]
