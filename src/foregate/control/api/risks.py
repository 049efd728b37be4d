"""GET /risks and /risks/history: how likely each route is to fail soon, and why."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from foregate.control.api.shapes import EntityOut, Out, RangeS, RoutePath, ServiceName, entity_out
from foregate.control.deps import ControlDeps
from foregate.wire.entity import Entity
from foregate.wire.risk import Contribution, Risk, RiskState

AHEAD_S = 60.0  # a verdict further in the future was made before the clock was set back: it is as good as old
HISTORY_ENTITIES_MAX = 50  # the riskiest; narrow by service and route for others
HISTORY_POINTS_MAX = 240  # per entity; of the verdicts that fall together the highest score stands


class ContributionOut(Out):
    """One feature's exact SHAP share of the score, in log-odds (positive raises the risk)."""

    feature: str
    value: float
    shap: float
    sentence: str


class HorizonOut(Out):
    """The probability of a failure within `horizon_s`, and the score from which an alert would be raised for it."""

    horizon_s: int
    score: float
    threshold: float


class RiskOut(Out):
    """The newest verdict on one route. `score` is the probability of a failure within `horizon_s`, null without one.

    `stale` is true when the verdict is older than `stale_after_s`: the predictor is silent, not the route healthy.
    `horizons`: the same question for a shorter and a longer time. `baselines`: what simple rules say, each by its name
    and in its own unit, to hold beside the score. `note`: what the verdict lacks, in words; "" for nothing.
    """

    entity: EntityOut
    state: RiskState
    score: float | None
    stale: bool
    time_s: float
    stale_after_s: float
    horizon_s: int
    model_version: str
    minutes_seen: float
    minutes_needed: float
    contributions: list[ContributionOut]
    horizons: list[HorizonOut]
    baselines: dict[str, float]
    note: str


class Risks(Out):
    """`threshold` is the score above which an alert is raised, unless a risk's own `horizons` say another.

    `model_version` is "" before any verdict, and "off" where no model could be loaded.
    """

    now_s: float
    threshold: float
    model_version: str
    risks: list[RiskOut]


class RiskPoint(Out):
    t: float
    score: float | None
    state: RiskState


class RiskSeries(Out):
    entity: EntityOut
    points: list[RiskPoint]


class RiskHistory(Out):
    now_s: float
    from_s: float
    threshold: float
    series: list[RiskSeries]


def risks_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["prediction"])

    @router.get("/risks", summary="The newest verdict per route, highest score first")
    def risks() -> Risks:
        return risks_out(deps.findings.latest_risks(), deps.clock.now(), deps.threshold)

    @router.get("/risks/history", summary="How the scores went")
    def history(
        range_s: Annotated[RangeS, Query(le=7 * 86_400)] = 900, service: ServiceName = None, route: RoutePath = None
    ) -> RiskHistory:
        now_s = deps.clock.now()
        from_s = now_s - range_s
        step_s = max(10.0, range_s / HISTORY_POINTS_MAX)
        chosen = choose([risk.entity for risk in deps.findings.latest_risks()], service, route)
        series = [
            RiskSeries(
                entity=entity_out(entity), points=thin(deps.findings.risk_history(entity, from_s, now_s + 1), step_s)
            )
            for entity in chosen[:HISTORY_ENTITIES_MAX]
        ]
        return RiskHistory(now_s=now_s, from_s=from_s, threshold=deps.threshold, series=series)

    return router


def risks_out(risks: Sequence[Risk], now_s: float, threshold: float) -> Risks:
    newest = max(risks, key=lambda risk: risk.time_s, default=None)
    return Risks(
        now_s=now_s,
        threshold=threshold,
        model_version=newest.model_version if newest else "",
        risks=[risk_out(risk, now_s) for risk in risks],
    )


def risk_out(risk: Risk, now_s: float) -> RiskOut:
    return RiskOut(
        entity=entity_out(risk.entity),
        state=risk.state,
        score=risk.score,
        stale=not -AHEAD_S <= now_s - risk.time_s <= risk.stale_after_s,
        time_s=risk.time_s,
        stale_after_s=risk.stale_after_s,
        horizon_s=risk.horizon_s,
        model_version=risk.model_version,
        minutes_seen=risk.minutes_seen,
        minutes_needed=risk.minutes_needed,
        contributions=[contribution_out(contribution) for contribution in risk.contributions],
        horizons=[HorizonOut(horizon_s=h.horizon_s, score=h.score, threshold=h.threshold) for h in risk.horizons],
        baselines=risk.baselines,
        note=risk.note,
    )


def contribution_out(contribution: Contribution) -> ContributionOut:
    return ContributionOut(
        feature=contribution.feature,
        value=contribution.value,
        shap=contribution.shap,
        sentence=contribution.sentence,
    )


def choose(entities: Sequence[Entity], service: str | None, route: str | None) -> list[Entity]:
    """Those of the named service and route; None names all."""
    return [
        entity
        for entity in entities
        if (service is None or entity.service == service) and (route is None or entity.route == route)
    ]


def _height(risk: Risk) -> float:
    return -1.0 if risk.score is None else risk.score


def thin(history: Sequence[Risk], step_s: float) -> list[RiskPoint]:
    """At most one point per `step_s`: the verdict with the highest score, so that no peak is hidden."""
    best: dict[int, Risk] = {}
    for risk in history:
        bucket = int(risk.time_s // step_s)
        known = best.get(bucket)
        if known is None or _height(risk) >= _height(known):
            best[bucket] = risk
    return [RiskPoint(t=risk.time_s, score=risk.score, state=risk.state) for _, risk in sorted(best.items())]
