"""Refusing the least important requests while this worker is overloaded.

A worker's loop that is late has more to do than it can: everybody waits. From `lateness_s` on priority 0 is
refused, then rising priorities in proportion, and from `lateness_full_s` on all but priority 100. A refusal costs
little of what a proxied request does, so the loop recovers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from foregate.gateway.policies.policy import Means, Place, Policy, Refuse, Verdict
from foregate.wire.policies import LoadShedding

if TYPE_CHECKING:
    from foregate.gateway.request import Request

PRIORITY_MAX = 100
_REFUSED = Refuse("shed", "", b"retry-after: 1\r\n")


def threshold(lateness_s: float, settings: LoadShedding) -> float:
    """Requests of a lower priority than this are refused; 0.0: none is."""
    over_s = lateness_s - settings.lateness_s
    if over_s < 0.0:
        return 0.0
    share = over_s / (settings.lateness_full_s - settings.lateness_s)
    return max(1e-9, min(share, 1.0) * PRIORITY_MAX)  # from the first moment on priority 0 is refused


class LoadSheddingPolicy(Policy):
    name = "load_shedding"

    def __init__(self, settings: LoadShedding, means: Means, place: Place) -> None:
        self._settings = settings
        self._lateness_s = means.lateness_s

    def admit(self, request: Request) -> Verdict | None:
        lateness_s = self._lateness_s()
        if lateness_s < self._settings.lateness_s or request.priority >= threshold(lateness_s, self._settings):
            return None
        return _REFUSED
