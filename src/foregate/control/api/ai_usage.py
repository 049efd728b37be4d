"""GET /ai/usage: what keys have used of models, and what it cost."""

from typing import Annotated

from fastapi import APIRouter, Query

from foregate.control.api.shapes import Out
from foregate.control.deps import ControlDeps
from foregate.wire.usage import UsageBy, UsageSums

LedgerRangeS = Annotated[int, Query(ge=60, le=400 * 86_400, description="How far back from now, in seconds.")]


class UsedOut(Out):
    """`name`: of the key, `service/model`, the service, or the hour's beginning in Unix seconds.

    `estimated` of the requests have tokens that foregate has counted itself. `cost` is at the configured prices.
    """

    name: str
    requests: int
    estimated: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost: float


class UsageOut(Out):
    """The dearest thousand; hours in their order. Whole hours: the first one may have begun before `from_s`."""

    now_s: float
    from_s: float
    by: UsageBy
    used: list[UsedOut]
    total: UsedOut


def ai_usage_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["ai"])

    @router.get("/ai/usage", summary="Tokens and cost of AI traffic")
    def usage(range_s: LedgerRangeS = 86_400, by: UsageBy = "key") -> UsageOut:
        now_s = deps.clock.now()
        from_s = now_s - range_s
        answer = deps.telemetry.usage(by=by, from_s=from_s, until_s=now_s + 1.0)
        used = [_out(name, sums) for name, sums in answer.used]
        return UsageOut(now_s=now_s, from_s=from_s, by=by, used=used, total=_out("", answer.total))

    return router


def _out(name: str, sums: UsageSums) -> UsedOut:
    return UsedOut(
        name=name,
        requests=sums.requests,
        estimated=sums.estimated,
        input_tokens=sums.input_tokens,
        output_tokens=sums.output_tokens,
        cached_tokens=sums.cached_tokens,
        cost=sums.cost,
    )
