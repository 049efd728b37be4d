"""A bound on how many requests of one service are under way, so that a slow service cannot take the whole worker.

Beyond `max` up to `queue` requests wait, the highest priority first, at most `wait_s`; whoever finds the queue full (or
is pushed out by a higher priority) and whoever has waited in vain gets 503 `bulkhead_full`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from foregate.gateway.policies.gate import Gate
from foregate.gateway.policies.policy import Means, Place, Policy, Verdict
from foregate.wire.policies import Bulkhead

if TYPE_CHECKING:
    from foregate.gateway.request import Request

_CODE = "bulkhead_full"


class BulkheadPolicy(Policy):
    name = "bulkhead"

    def __init__(self, settings: Bulkhead, means: Means, place: Place) -> None:
        self.gate = Gate(settings.max, settings.queue, settings.wait_s, means.clock, full=_CODE, late=_CODE)

    def admit(self, request: Request) -> Verdict | None:
        verdict = self.gate.admit(request)
        if verdict is None:
            request.ends(self._over)
        return verdict

    def _over(self, request: Request) -> None:
        self.gate.leave()
