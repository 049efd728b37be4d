"""The same rig around the whole gateway: routing, policies and its own forwarding stand between the two ends."""

from __future__ import annotations

import functools
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.rig import Rig, Upstream
from tests.gateway.world import OPEN, PEPPER, service, snapshot

from foregate.adapters.embedded.blocks import open_blocks
from foregate.adapters.embedded.limits import open_limits
from foregate.gateway import Gateway
from foregate.http1.client import ClientConnection
from foregate.http1.exchange import Exchange
from foregate.kernel.clock import SystemClock
from foregate.wire.event import RequestEvent


class _Forgetful:
    """Takes events and keeps none."""

    def put(self, event: RequestEvent) -> bool:
        return True


@functools.cache
def _gateway() -> Gateway:
    """One for all cases of a process: it keeps nothing of a request, and has no circuit that a case could open."""
    with tempfile.TemporaryDirectory() as folder:  # what is mapped outlives its files
        return Gateway(
            snapshot([service(1, breaker=None)], [OPEN]),  # type: ignore[arg-type]
            clock=SystemClock(),
            sink=_Forgetful(),
            blocks=open_blocks(Path(folder) / "counters.bin", 1, 0),
            limits=open_limits(Path(folder) / "limits.bin", 1, 0),
            pepper=PEPPER,
            rng=random.Random(7),
            log=lambda what, facts: None,
        )


class _Connecting:
    """Stands for the task that connects."""

    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class _Pool:
    """Makes the rig's upstreams instead of connections over sockets."""

    def __init__(self, rig: GatewayRig) -> None:
        self._rig = rig

    def take(self) -> ClientConnection | None:
        upstream = self._rig.take_idle()
        return None if upstream is None else upstream.connection

    def connect(self, waiter: object) -> _Connecting:
        connecting = _Connecting()
        connection = self._rig.new_upstream().connection
        connected: Callable[[ClientConnection], None] = waiter.connected  # type: ignore[attr-defined]
        self._rig.loop.append(lambda: None if connecting.cancelled else connected(connection))
        return connecting


class GatewayRig(Rig):
    """An upstream never closes before its first byte here: the gateway would send such a request again, and may."""

    answer_bytes_min = 1

    def _serve(self, exchange: Exchange) -> None:
        self.begun += 1
        gateway = _gateway()
        gateway._table.services["svc"].targets[0].pool = _Pool(self)  # type: ignore[assignment]
        gateway._handle(exchange)

    def take_idle(self) -> Upstream | None:
        upstream = next((each for each in self.idle if each.connection.usable), None)
        if upstream is not None:
            self.idle.remove(upstream)
            upstream.serves.append(self.begun - 1)
        return upstream

    def new_upstream(self) -> Upstream:
        upstream = Upstream(self)
        self.upstreams.append(upstream)
        upstream.serves.append(self.begun - 1)
        return upstream
