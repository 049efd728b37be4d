"""The WebSockets of a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foregate.gateway import layout
from foregate.ports.blocks import Cells

if TYPE_CHECKING:
    from foregate.gateway.request import Request
    from foregate.gateway.websockets.tunnel import Tunnel


class OpenWebSockets:
    """`cells` are those of `layout.websockets_block`: written when one opens, ends, and now and then."""

    __slots__ = ("_cells", "_entered", "_tunnels")

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._entered = 0  # those in their handshake included
        self._tunnels: set[Tunnel] = set()
        cells[layout.WEBSOCKETS_OPEN] = 0.0  # a predecessor's may have been killed

    def enter(self, request: Request, connections_max: int) -> bool:
        """Let one more begin, until its request is over; False where there are enough."""
        if self._entered >= connections_max:
            return False
        self._entered += 1
        request.ends(self._left)
        return True

    def _left(self, request: Request) -> None:
        self._entered -= 1

    def add(self, tunnel: Tunnel) -> None:
        self._tunnels.add(tunnel)
        self._cells[layout.WEBSOCKETS_OPEN] = len(self._tunnels)

    def remove(self, tunnel: Tunnel) -> None:
        self._tunnels.discard(tunnel)
        self._cells[layout.WEBSOCKETS_OPEN] = len(self._tunnels)

    def count(self, from_client: int, from_upstream: int) -> None:
        """Messages that have been passed on since a tunnel last said so."""
        self._cells[layout.WEBSOCKET_MESSAGES_IN] += from_client
        self._cells[layout.WEBSOCKET_MESSAGES_OUT] += from_upstream

    def go_away(self) -> None:
        """This worker ends soon: say so to both sides of each (1001), so that clients come back elsewhere."""
        for tunnel in list(self._tunnels):
            tunnel.go_away()
