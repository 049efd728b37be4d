"""GET /status: how foregate itself is. What is not known or old is said, never guessed."""

from typing import Literal

from fastapi import APIRouter

from foregate.control.api.risks import AHEAD_S
from foregate.control.api.shapes import Out
from foregate.control.deps import ControlDeps
from foregate.wire.health import ProcessHealth

JUDGEMENT_STALE_S = 60.0
_LOOK_BACK_S = 900.0


class ProcessOut(Out):
    name: str
    role: str
    state: Literal["running", "starting", "restarting", "stopped"]
    pid: int | None
    since_s: float | None
    restarts: int


class DiskOut(Out):
    """Bytes. `low` and `critical` are warnings; `full`: telemetry is refused and not stored until there is more."""

    level: Literal["ok", "low", "critical", "full"]
    free_bytes: int
    total_bytes: int


class Status(Out):
    """`windows_age_s` and `judgement_age_s`: seconds since the newest window began and since the newest verdict.

    Null means that there is none within the last 15 minutes. `accounts` counts every telemetry item by outcome.
    """

    now_s: float
    version: str
    environment: str
    configuration: str
    model_version: str
    threshold: float
    has_lab: bool
    processes: list[ProcessOut]
    lag_events: int | None
    windows_age_s: float | None
    judgement_age_s: float | None
    judgement_stale: bool
    accounts: dict[str, int]
    disk: DiskOut | None


def status_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["foregate"])

    @router.get("/status", summary="Processes, lag, accounts, versions")
    def status() -> Status:
        return status_out(deps)

    return router


def status_out(deps: ControlDeps) -> Status:
    """Reads everything it needs; may block."""
    now_s = deps.clock.now()
    snapshot = deps.snapshot()
    risks = deps.findings.latest_risks()
    judged_s = max((risk.time_s for risk in risks if risk.time_s <= now_s + AHEAD_S), default=None)
    judgement_age_s = _age(judged_s, now_s)
    card = deps.model_card or {}
    return Status(
        now_s=now_s,
        version=deps.version,
        environment=snapshot.environment,
        configuration=snapshot.version,
        model_version=str(card.get("model_version", "")),
        threshold=deps.threshold,
        has_lab=deps.lab is not None,
        processes=[_process(process) for process in deps.processes()],
        lag_events=deps.telemetry.lag_events(),
        windows_age_s=_age(_newest_window(deps, now_s), now_s),
        judgement_age_s=judgement_age_s,
        judgement_stale=judgement_age_s is None or judgement_age_s > JUDGEMENT_STALE_S,
        accounts=dict(deps.telemetry.counts()),
        disk=_disk(deps),
    )


def _disk(deps: ControlDeps) -> DiskOut | None:
    """None where that is not known."""
    try:
        found = deps.disk() if deps.disk is not None else None
    except OSError:
        return None
    return DiskOut(level=found.level, free_bytes=found.free_bytes, total_bytes=found.total_bytes) if found else None


def _age(time_s: float | None, now_s: float) -> float | None:
    return None if time_s is None else round(max(0.0, now_s - time_s), 1)


def _newest_window(deps: ControlDeps, now_s: float) -> float | None:
    answer = deps.telemetry.metrics(span_s=60, from_s=now_s - _LOOK_BACK_S, until_s=now_s + 1, service=None, route=None)
    return max((window.start_s for window in answer.total), default=None)


def _process(process: ProcessHealth) -> ProcessOut:
    return ProcessOut(
        name=process.name,
        role=process.role,
        state=process.state,
        pid=process.pid,
        since_s=process.since_s,
        restarts=process.restarts,
    )
