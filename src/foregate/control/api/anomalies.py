"""GET /anomalies: values far from what is usual for their route."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from foregate.control.api.shapes import EntityOut, Out, RangeS, entity_out
from foregate.control.deps import ControlDeps
from foregate.wire.anomaly import Anomaly


class AnomalyOut(Out):
    """`z` is the robust z-score of its worst moment, `expected` the route's own median; `ended_s` null while on."""

    id: str
    entity: EntityOut
    metric: Literal["p95_ms", "error_rate", "rps"]
    started_s: float
    updated_s: float
    ended_s: float | None
    value: float
    expected: float
    z: float
    sentence: str


class Anomalies(Out):
    now_s: float
    anomalies: list[AnomalyOut]


def anomalies_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["prediction"])

    @router.get("/anomalies", summary="What is unusual, newest first")
    def anomalies(range_s: RangeS = 3_600, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> Anomalies:
        now_s = deps.clock.now()
        return anomalies_out(deps.findings.anomalies(from_s=now_s - range_s, limit=limit), now_s)

    return router


def anomalies_out(found: Sequence[Anomaly], now_s: float) -> Anomalies:
    return Anomalies(now_s=now_s, anomalies=[_out(anomaly) for anomaly in found])


def _out(anomaly: Anomaly) -> AnomalyOut:
    return AnomalyOut(
        id=anomaly.id,
        entity=entity_out(anomaly.entity),
        metric=anomaly.metric,
        started_s=anomaly.started_s,
        updated_s=anomaly.updated_s,
        ended_s=anomaly.ended_s,
        value=anomaly.value,
        expected=anomaly.expected,
        z=anomaly.z,
        sentence=anomaly.sentence,
    )
