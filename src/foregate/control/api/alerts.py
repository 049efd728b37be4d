"""GET /alerts: announced failures, and whether they came true; and error budgets that are spent too fast."""

import base64
import binascii
import math
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from foregate.control.api.shapes import EntityOut, Out, entity_out
from foregate.control.deps import ControlDeps
from foregate.kernel.errors import ForegateError
from foregate.wire.alert import Alert, AlertKind, AlertOutcome, AlertSeverity, AlertState


class AlertOut(Out):
    """One announced failure. `lead_s` is how long before the first failing minute it was raised.

    Of kind "burn_rate" it is an error budget that is spent too fast: scores and `threshold` are then burn rates,
    `horizon_s` is the window of the rule, `objective` says which one, and `outcome` is "measured".
    """

    id: str
    entity: EntityOut
    state: AlertState
    outcome: AlertOutcome
    raised_s: float
    updated_s: float
    closed_s: float | None
    failed_s: float | None
    lead_s: float | None
    score: float
    peak_score: float
    threshold: float
    horizon_s: int
    model_version: str
    title: str
    reasons: list[str]
    kind: AlertKind
    severity: AlertSeverity
    objective: str


class Alerts(Out):
    """One page, newest first. `next_cursor` gets the next page; null on the last one."""

    now_s: float
    alerts: list[AlertOut]
    next_cursor: str | None


def alerts_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["prediction"])

    @router.get("/alerts", summary="Announced failures, newest first")
    def alerts(
        state: Literal["open", "closed"] | None = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        cursor: Annotated[str | None, Query(max_length=200)] = None,
    ) -> Alerts:
        before = decode_cursor(cursor) if cursor else None
        found = deps.findings.alerts(state=state, limit=limit + 1, before=before)
        return alerts_out(found, limit, deps.clock.now())

    return router


def alerts_out(found: list[Alert], limit: int, now_s: float) -> Alerts:
    """`found` holds up to limit + 1 alerts: the one too many only tells that there is another page."""
    page = found[:limit]
    more = len(found) > limit
    return Alerts(
        now_s=now_s,
        alerts=[alert_out(alert) for alert in page],
        next_cursor=encode_cursor(page[-1]) if more else None,
    )


def alert_out(alert: Alert) -> AlertOut:
    return AlertOut(
        id=alert.id,
        entity=entity_out(alert.entity),
        state=alert.state,
        outcome=alert.outcome,
        raised_s=alert.raised_s,
        updated_s=alert.updated_s,
        closed_s=alert.closed_s,
        failed_s=alert.failed_s,
        lead_s=alert.lead_s,
        score=alert.score,
        peak_score=alert.peak_score,
        threshold=alert.threshold,
        horizon_s=alert.horizon_s,
        model_version=alert.model_version,
        title=alert.title,
        reasons=list(alert.reasons),
        kind=alert.kind,
        severity=alert.severity,
        objective=alert.objective,
    )


def encode_cursor(last: Alert) -> str:
    return base64.urlsafe_b64encode(f"{last.raised_s!r} {last.id}".encode()).decode()


def decode_cursor(cursor: str) -> tuple[float, str]:
    """(raised_s, id) of the last alert on the page before. Raises ForegateError on what we did not make."""
    try:
        text, _, alert_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        raised_s = float(text)
    except (binascii.Error, ValueError) as error:
        raise ForegateError("invalid_parameter", "cursor: not one that this API gave out.") from error
    if not math.isfinite(raised_s):
        raise ForegateError("invalid_parameter", "cursor: not one that this API gave out.")
    return raised_s, alert_id
