"""One route, compiled: where its requests go, what they meet on the way, how their path is rewritten."""

from __future__ import annotations

from collections.abc import Sequence

from foregate.gateway.chains import Chain
from foregate.gateway.match import rewrite
from foregate.gateway.match.split import Split
from foregate.gateway.request import Request
from foregate.ports.blocks import Block
from foregate.wire.snapshot import Route


class RouteEntry:
    """`chain` is that of the only service; a route with several has `split`. `cells`: this worker's metrics of it."""

    __slots__ = (
        "_chains",
        "block",
        "cells",
        "chain",
        "host_line",
        "keeps_host",
        "name",
        "reshapes",
        "route",
        "split",
    )

    def __init__(self, route: Route, chains: Sequence[Chain], block: Block) -> None:
        self.route = route
        self.name = route.name
        self.block = block
        self.cells = block.own
        self.chain = chains[0]
        self._chains = chains
        self.split: Split[Chain] | None = None
        self.roll_back("")
        self.reshapes = route.strip or route.rewrite is not None
        self.host_line = b"host: %s\r\n" % route.host.encode() if route.host else b""
        self.keeps_host = route.host == ""  # the upstream sees the Host that the client sent

    def roll_back(self, service: str) -> None:
        """The canary `service` gets nothing more; "": every service gets its share."""
        if len(self._chains) > 1:
            weights = [0 if part.service == service else part.weight for part in self.route.services]
            self.split = Split(self._chains, weights, self.name.encode())

    def reshape(self, request: Request) -> bytes | None:
        """The path that the upstream is asked for; None when what the client said would make it unsafe."""
        if self.route.rewrite is not None:
            return rewrite.rewritten(self.route.rewrite, request.path, request.params)
        return rewrite.stripped(request.path, request.end)
