"""GET, POST, DELETE /lab/faults: the lab's switches, handed on to the lab. 404 where no lab runs."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from foregate.control.api.shapes import Out
from foregate.control.deps import ControlDeps, LabClient
from foregate.kernel.errors import ForegateError


class FaultKind(Out):
    """One kind of fault. `foreseeable`: it gives signs before requests fail; `benign`: it only looks like a fault."""

    model_config = ConfigDict(extra="ignore", frozen=True, json_schema_serialization_defaults_required=True)

    kind: str
    title: str
    description: str
    gradual: bool
    foreseeable: bool
    benign: bool = False
    services: list[str]


class ActiveFault(Out):
    """One fault that is on. `ends_s` is null when it stays until somebody switches it off."""

    model_config = ConfigDict(extra="ignore", frozen=True, json_schema_serialization_defaults_required=True)

    id: str
    kind: str
    service: str
    severity: float | None = None
    started_s: float
    ends_s: float | None = None
    origin: str = ""


class LabFaults(Out):
    kinds: list[FaultKind]
    active: list[ActiveFault]
    scheduled: list[ActiveFault] = Field(default_factory=list)


class FaultCommand(BaseModel):
    """Switch a fault on. Without a severity the kind's usual one is taken; without a duration it stays on."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(max_length=100)
    service: str = Field(max_length=100)
    severity: float | None = Field(None, ge=0, le=1)
    duration_s: float | None = Field(None, gt=0, le=86_400)


def lab_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["lab"])

    @router.get("/lab/faults", summary="Kinds of faults and those that are on")
    def faults() -> LabFaults:
        return lab_out(_lab(deps))

    @router.post("/lab/faults", status_code=201, summary="Switch a fault on")
    def start(command: FaultCommand) -> ActiveFault:
        answer = _reached(lambda: _lab(deps).start(command.model_dump(exclude_none=True)))
        deps.log.info("lab fault switched on", kind=command.kind, service=command.service)
        return ActiveFault.model_validate(answer)

    @router.delete("/lab/faults/{fault_id}", status_code=204, summary="Switch a fault off")
    def stop(fault_id: Annotated[str, Path(max_length=100)]) -> Response:
        _reached(lambda: _lab(deps).stop(fault_id))
        deps.log.info("lab fault switched off", fault_id=fault_id)
        return Response(status_code=204)

    return router


def lab_out(lab: LabClient) -> LabFaults:
    """The lab's own answer, checked. Raises ForegateError("upstream_refused") when it cannot be reached."""
    return LabFaults.model_validate(_reached(lab.faults))


def _lab(deps: ControlDeps) -> LabClient:
    if deps.lab is None:
        raise ForegateError("not_found", "No lab runs here; `foregate demo` starts one.")
    return deps.lab


def _reached(call: Any) -> Any:
    try:
        return call()
    except OSError as error:
        raise ForegateError("upstream_refused", "The lab does not answer.", internal=repr(error)) from error
