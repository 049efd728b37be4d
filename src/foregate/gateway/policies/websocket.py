"""Who may open a WebSocket, and what may be agreed on. All other requests pass.

Any page may ask for one anywhere, and the browser sends cookies with it; neither CORS nor the same-origin policy stand
in the way (cross-site WebSocket hijacking). So a page's origin must be named, or be that of the host that is asked.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from foregate.gateway.policies.cors import Origins
from foregate.gateway.policies.policy import Means, Place, Policy, Refuse
from foregate.gateway.websockets.proxied import Opening
from foregate.http1.tunnel import WEBSOCKET
from foregate.websocket.handshake import deflate_offers, elements
from foregate.wire.websocket import WebSocket

if TYPE_CHECKING:
    from foregate.gateway.request import Request

_KEY_BYTES = 16
# Written anew: the hop to the upstream has a key, and perhaps offers, of its own.
_OURS = (
    b"sec-websocket-key:",
    b"sec-websocket-version:",
    b"sec-websocket-extensions:",
    b"sec-websocket-protocol:",
    b"sec-websocket-accept:",
)
_FOREIGN = Refuse("forbidden", "Pages of this origin may not open WebSockets here.")
_NO_SUBPROTOCOL = Refuse("forbidden", "None of these subprotocols is spoken here.")


class WebSocketPolicy(Policy):
    name = "websocket"

    def __init__(self, settings: WebSocket, means: Means, place: Place) -> None:
        self._settings = settings
        self._origins = Origins(settings.origins)
        self._subprotocols = frozenset(name.encode() for name in settings.subprotocols)
        self._rng = means.rng

    def admit(self, request: Request) -> Refuse | None:
        if request.exchange.upgrade != WEBSOCKET:
            return None
        origin = request.header(b"origin")
        if origin is not None and not may_open(self._origins, self._settings, origin, request.host):
            return _FOREIGN
        offered = elements(request.headers, b"sec-websocket-protocol")
        subprotocols = tuple(one for one in offered if not self._subprotocols or one in self._subprotocols)
        if offered and not subprotocols:
            return _NO_SUBPROTOCOL
        key = base64.b64encode(self._rng.randbytes(_KEY_BYTES))
        request.websocket = Opening(self._settings, key, tuple(deflate_offers(request.headers)), subprotocols)
        request.kept = tuple([line for line in request.kept if not line.startswith(_OURS)])
        return None


def may_open(origins: Origins, settings: WebSocket, origin: bytes, host: bytes) -> bool:
    """Whether pages of `origin` may open WebSockets at `host`. `origins`: those of the settings."""
    if settings.origins:
        return origins.take(origin.lower())
    return origin.partition(b"://")[2].lower() == host.lower()
