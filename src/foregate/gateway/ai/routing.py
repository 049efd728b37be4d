"""In which order the models that may answer are asked. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from foregate.gateway.ai.health import Measured
from foregate.gateway.ai.models import Candidate, Plan
from foregate.gateway.ai.usage import Usage, cost

_ERROR_STEPS = 20.0  # error rates that differ by less than a twentieth are the same: order decides between them


def ordered(
    plan: Plan,
    measured: Callable[[Candidate], Measured],
    tokens: Callable[[Candidate], Usage],
    attempts_max: int,
) -> list[Candidate]:
    """At most `attempts_max` of them, the one to be asked first first.

    `measured` and `tokens` (what the request is expected to use) are asked only where the order depends on them. Who
    is avoided at present comes last, the one that may be tried soonest before the others: better than nobody.
    """
    first: Sequence[Candidate] = plan.first
    if len(first) > 1 and plan.routing != "order":
        first = sorted(first, key=_key(plan, measured, tokens))
    found = [*first, *plan.then]
    if len(found) > 1:
        states = [measured(candidate) for candidate in found]
        if any(state.open for state in states):
            pairs = sorted(zip(found, states, strict=True), key=lambda pair: (pair[1].open, _again_s(pair[1])))
            found = [candidate for candidate, _ in pairs]
    return found[:attempts_max]


def _again_s(state: Measured) -> float:
    return state.opens_again_s if state.open else 0.0


def _key(
    plan: Plan, measured: Callable[[Candidate], Measured], tokens: Callable[[Candidate], Usage]
) -> Callable[[Candidate], Any]:
    """What the candidates are compared by; who are equal stay in their order."""
    if plan.routing == "cost":
        return lambda candidate: cost(tokens(candidate), candidate.prices) if candidate.prices is not None else 0.0
    if plan.routing == "latency":
        return lambda candidate: measured(candidate).latency_ms
    return lambda candidate: round(measured(candidate).error_rate * _ERROR_STEPS)
