"""WebSockets through the gateway: an opening handshake on its way upstream, and the tunnel that it becomes.

policies/websocket.py     who may open one; leaves an `Opening` with the request
proxied.py                the handshake: attempts, circuits, bounds and refusals are those of any request
tunnel.py                 both directions until the end: back-pressure, silence, rates, closing, the event
open.py                   those of a worker: how many, what they have carried, going away
"""

from foregate.gateway.websockets.open import OpenWebSockets
from foregate.gateway.websockets.proxied import Opening, ProxiedWebSocket

__all__ = ["OpenWebSockets", "Opening", "ProxiedWebSocket"]
