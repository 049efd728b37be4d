"""A TLS connection whose two ends have yet to agree what they speak on it (ALPN, RFC 7301)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from foregate.http1.client import ClientConnection
from foregate.http2.client import UpstreamConnection


class Agreeing(asyncio.Protocol):
    """Becomes what was agreed on as soon as the handshake is over: then `chosen` is there, and has the transport.

    With `insist` on HTTP/2 an upstream that agrees to nothing or to HTTP/1.1 is left: `chosen` stays None.
    """

    def __init__(
        self, http1: Callable[[], ClientConnection], http2: Callable[[], UpstreamConnection], insist: bool
    ) -> None:
        self._http1 = http1
        self._http2 = http2
        self._insist = insist
        self._declined = False
        self.chosen: ClientConnection | UpstreamConnection | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        ssl_object = transport.get_extra_info("ssl_object")
        if ssl_object.selected_alpn_protocol() == "h2":
            self.chosen = self._http2()
        elif self._insist:
            self._declined = True
            transport.close()
            return
        else:
            self.chosen = self._http1()
        transport.set_protocol(self.chosen)
        self.chosen.connection_made(transport)

    @property
    def usable(self) -> bool:
        """Whether it is known what is spoken, and the connection still stands; or that nothing can be spoken."""
        return self._declined if self.chosen is None else self.chosen.usable

    def abandon(self, receiver: None) -> None:
        """Whoever wanted it has left."""
        if self.chosen is not None:
            self.chosen.abandon(None)
