"""GET /deployments: what was changed on purpose. POST /deployments: say that there is a new version of a service."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from foregate.control.api.shapes import Out
from foregate.control.deps import ControlDeps, DeploymentControl
from foregate.kernel.errors import ForegateError
from foregate.wire.change import Change, ChangeKind

BY = "console"
_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"


class DeploymentOut(Out):
    """A change. `kind`: `deployment` was said by somebody, `targets` (addresses of a service) and `configuration` (all
    else) were found in a new configuration. `services` and `routes`: of whom; both empty: of all."""

    id: str
    time_s: float
    kind: ChangeKind
    environment: str
    services: list[str]
    routes: list[str]
    version: str
    by: str
    note: str


class Deployments(Out):
    """The newest first."""

    now_s: float
    deployments: list[DeploymentOut]


class DeploymentCommand(BaseModel):
    """There is a new version of this service from now on. `environment`: the gateway's own where nothing is said."""

    model_config = ConfigDict(extra="forbid")

    service: str = Field(min_length=1, max_length=256, pattern=_PRINTABLE)
    version: str = Field("", max_length=200, pattern=_PRINTABLE)
    environment: str = Field("", max_length=200, pattern=_PRINTABLE)
    note: str = Field("", max_length=500, pattern=_PRINTABLE)


def deployments_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["deployments"])

    @router.get("/deployments", summary="New versions, and changes of the configuration")
    def deployments(
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
        before: Annotated[float | None, Query(description="Unix seconds: those that were made before.")] = None,
    ) -> Deployments:
        found = _desk(deps).recent(limit, before)
        return Deployments(now_s=deps.clock.now(), deployments=[_out(each) for each in found])

    @router.post("/deployments", status_code=201, summary="Say that there is a new version of a service")
    def add(command: DeploymentCommand) -> DeploymentOut:
        made = _desk(deps).add(command.service, command.version, command.environment, command.note, BY)
        deps.log.info("deployment", id=made.id, service=command.service, version=made.version, note=command.note)
        return _out(made)

    return router


def _out(change: Change) -> DeploymentOut:
    return DeploymentOut(
        id=change.id,
        time_s=change.time_s,
        kind=change.kind,
        environment=change.environment,
        services=list(change.services),
        routes=list(change.routes),
        version=change.version,
        by=change.by,
        note=change.note,
    )


def _desk(deps: ControlDeps) -> DeploymentControl:
    if deps.deployments is None:
        raise ForegateError("not_found", "No gateway runs beside this console.")
    return deps.deployments
