"""What only some requests need on their way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from foregate.gateway.policies.breaker import State

if TYPE_CHECKING:
    from foregate.gateway.forwarding.event_stream import Heartbeat
    from foregate.gateway.forwarding.hedging import HedgeAttempt
    from foregate.gateway.forwarding.proxied import Proxied
    from foregate.gateway.upstream import ServiceState


class Rare:
    """`charged`: the present attempt counts in the service's retry budget. `entered`: the state in which the service's
    breaker let it pass. `hedges`: other attempts under way; `hedged`: how many were ever sent."""

    __slots__ = (
        "charged",
        "entered",
        "fallen_back",
        "heartbeat",
        "hedge_timer",
        "hedged",
        "hedges",
        "sent_again",
        "total_timer",
    )

    def __init__(self) -> None:
        self.charged = False
        self.entered: State | None = None
        self.fallen_back = self.sent_again = False
        self.heartbeat: Heartbeat | None = None
        self.hedged = 0
        self.hedges: list[HedgeAttempt] = []
        self.hedge_timer: asyncio.TimerHandle | None = None
        self.total_timer: asyncio.TimerHandle | None = None

    def release(self, service: ServiceState, now_s: float) -> None:
        """The attempt that was a retry is over."""
        if self.charged:
            self.charged = False
            service.budget.give_back(now_s)

    def stop_waiting(self) -> None:
        """An answer has begun, or there will be none: nothing is to be hedged or cut short any more."""
        if self.hedge_timer is not None:
            self.hedge_timer.cancel()
            self.hedge_timer = None
        if self.total_timer is not None:
            self.total_timer.cancel()
            self.total_timer = None
        if self.heartbeat is not None:
            self.heartbeat.stop()
            self.heartbeat = None
        hedges, self.hedges = self.hedges, []
        for hedge in hedges:
            hedge.lose(None)


def rare_of(proxied: Proxied) -> Rare:
    """What is unusual about it, from now on."""
    if proxied.rare is None:
        proxied.rare = Rare()
    return proxied.rare
