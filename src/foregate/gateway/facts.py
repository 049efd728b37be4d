"""What became of a request that a policy asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from foregate.wire.event import BreakerOutcome

if TYPE_CHECKING:
    from foregate.gateway.request import Request


class Facts(NamedTuple):
    """As `Recorder.finished` is told them. `request` is the inner one: who answered is its `chain.service_name`."""

    status: int = 0
    error: str = ""
    attempts: int = 0
    breaker: BreakerOutcome = "none"
    target: str = ""
    inflight: int = 0
    first_byte_ms: float = -1.0
    request: Request | None = None


NO_FACTS = Facts()  # nobody was asked
