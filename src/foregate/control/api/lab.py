"""GET, POST, DELETE /lab/faults: the lab's switches, handed on to the lab. 404 where no lab runs."""

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from foregate.control.api.shapes import Out
from foregate.control.deps import ControlDeps, LabClient
from foregate.kernel.errors import ForegateError

T = TypeVar("T")


class _Said(Out):
    """A part of the lab's own answer; what we do not know of it is left out."""

    model_config = ConfigDict(extra="ignore", frozen=True, json_schema_serialization_defaults_required=True)


class FaultKind(_Said):
    """One kind of fault. `foreseeable`: it gives signs before requests fail; `benign`: it only looks like a fault."""

    kind: str
    title: str
    description: str
    gradual: bool
    foreseeable: bool
    benign: bool
    services: list[str]


class ActiveFault(_Said):
    """One fault that is on, switched `by` the demo's script or a person. `severity` from 0 (slow) to 1 (quick)."""

    id: str
    kind: str
    service: str
    severity: float
    started_s: float
    ends_s: float
    by: str


class ScheduledFault(_Said):
    """One fault that the demo's script will switch on."""

    kind: str
    service: str
    severity: float
    starts_s: float
    duration_s: float


class LabFaults(_Said):
    """The catalogue, what is on now, and what comes next, soonest first."""

    kinds: list[FaultKind]
    active: list[ActiveFault]
    schedule: list[ScheduledFault]


class FaultCommand(BaseModel):
    """Switch a fault on. Without a severity or a duration the kind's usual one is taken."""

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
        lab, wanted = _lab(deps), command.model_dump(exclude_none=True)
        fault = _reached(lambda: ActiveFault.model_validate(lab.start(wanted)))
        deps.log.info("lab_fault_switched_on", kind=command.kind, service=command.service)
        return fault

    @router.delete("/lab/faults/{fault_id}", status_code=204, summary="Switch a fault off")
    def stop(fault_id: Annotated[str, Path(max_length=100)]) -> Response:
        lab = _lab(deps)
        _reached(lambda: lab.stop(fault_id))
        deps.log.info("lab_fault_switched_off", fault_id=fault_id)
        return Response(status_code=204)

    return router


def lab_out(lab: LabClient) -> LabFaults:
    """The lab's own answer, checked. Raises ForegateError("upstream_refused") when it cannot be reached."""
    return _reached(lambda: LabFaults.model_validate(lab.faults()))


def _lab(deps: ControlDeps) -> LabClient:
    if deps.lab is None:
        raise ForegateError("not_found", "No lab runs here; `foregate demo` starts one.")
    return deps.lab


def _reached(call: Callable[[], T]) -> T:
    try:
        return call()
    except (OSError, ValidationError) as error:
        raise ForegateError("upstream_refused", "The lab does not answer.", internal=repr(error)) from error
