"""What a request to a model used: for its event, and for the numbers on the metrics page."""

from __future__ import annotations

from bisect import bisect_left

from foregate.gateway import layout
from foregate.gateway.ai.models import Candidate
from foregate.gateway.ai.usage import Usage, cost
from foregate.ports.blocks import Cells
from foregate.wire.event import AiUsage

DURATION, FIRST_TOKEN, PER_TOKEN, INPUT, OUTPUT = range(len(layout.AI_HISTOGRAMS))
NONE_MS = -1.0


class Timing:
    """When the answer came. Monotonic seconds; 0: not yet."""

    __slots__ = ("began_s", "first_s", "last_s")

    def __init__(self, began_s: float) -> None:
        self.began_s = began_s  # of the request, not of the attempt: clients wait for all of them
        self.first_s = 0.0
        self.last_s = 0.0

    def seen(self, now_s: float) -> None:
        """Tokens have come."""
        self.first_s = self.first_s or now_s
        self.last_s = now_s

    def first_token_ms(self) -> float:
        """-1 before there was one."""
        return (self.first_s - self.began_s) * 1000.0 if self.first_s else NONE_MS

    def inter_token_ms(self, tokens: int) -> float:
        """The mean time per output token after the first; -1 where there were none."""
        if tokens < 2 or self.last_s <= self.first_s:
            return NONE_MS
        return (self.last_s - self.first_s) * 1000.0 / (tokens - 1)


def ai_usage(
    operation: str,
    asked_model: str,
    candidate: Candidate,
    answered_by: str,
    usage: Usage,
    timing: Timing,
    streamed: bool,
    finish_reason: str,
    attempts: str,
) -> AiUsage:
    """For the event."""
    return AiUsage(
        operation,
        candidate.service,
        asked_model,
        answered_by or candidate.model,
        usage.input,
        usage.output,
        usage.cached,
        cost(usage, candidate.prices) if candidate.prices is not None else 0.0,
        usage.estimated,
        timing.first_token_ms(),
        timing.inter_token_ms(usage.output) if streamed else NONE_MS,
        streamed,
        finish_reason,
        attempts,
    )


def count(cells: Cells, said: AiUsage, seconds: float) -> None:
    """Add a finished request to the numbers of its model. `seconds`: how long all of it took."""
    _observe(cells, DURATION, seconds)
    if said.streamed and said.first_token_ms >= 0.0:
        _observe(cells, FIRST_TOKEN, said.first_token_ms / 1000.0)
    if said.inter_token_ms >= 0.0:
        _observe(cells, PER_TOKEN, said.inter_token_ms / 1000.0)
    _observe(cells, INPUT, said.input_tokens)
    if said.output_tokens:
        _observe(cells, OUTPUT, said.output_tokens)
    cells[layout.AI_CACHED] += said.cached_tokens
    cells[layout.AI_COST] += said.cost
    if said.estimated:
        cells[layout.AI_ESTIMATED] += 1.0


def _observe(cells: Cells, histogram: int, value: float) -> None:
    bounds, start = layout.AI_HISTOGRAMS[histogram], layout.AI_STARTS[histogram]
    cells[start + bisect_left(bounds, value)] += 1.0
    cells[start + len(bounds) + 1] += value
