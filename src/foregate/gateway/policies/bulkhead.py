"""A bound on how many requests of one service are under way, so that a slow service cannot take the whole worker.

Beyond `max` up to `queue` requests wait, the highest priority first, at most `wait_s`; whoever finds the queue full (or
is pushed out by a higher priority) and whoever has waited in vain gets 503 `bulkhead_full`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from foregate.gateway.policies.gate import Door, Gate
from foregate.gateway.policies.policy import Means, Place, Verdict
from foregate.wire.policies import Bulkhead

if TYPE_CHECKING:
    from foregate.gateway.request import Request

_CODE = "bulkhead_full"


class BulkheadPolicy(Door):
    name = "bulkhead"

    def __init__(self, settings: Bulkhead, means: Means, place: Place) -> None:
        self.gate = Gate(settings.max, settings.queue, settings.wait_s, means.clock, full=_CODE, late=_CODE)

    def admit(self, request: Request) -> Verdict | None:
        verdict = self.gate.admit(request)
        if verdict is None:
            request.ends(self.over)
        return verdict

    def adopt(self, settings: Bulkhead) -> None:
        self.gate.adopt(settings.max, settings.queue, settings.wait_s)
