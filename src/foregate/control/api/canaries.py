"""GET /canaries: what became of them. POST /canaries/resume: let one go on that was rolled back."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from foregate.control.api.shapes import Out
from foregate.control.deps import CanaryControl, ControlDeps
from foregate.kernel.errors import ForegateError
from foregate.wire.canary import CanaryState

BY = "console"


class CanaryOut(Out):
    """`canary` gets `weight` percent of the requests that `route` gives to `service`, unless it is `rolled_back`.

    `since_s` and `reason`: when and why that was; null and "" where it was not.
    """

    route: str
    service: str
    canary: str
    weight: float
    rolled_back: bool
    since_s: float | None
    reason: str


class Canaries(Out):
    """Those of the configuration in force."""

    now_s: float
    canaries: list[CanaryOut]


class ResumeCommand(BaseModel):
    """Give the canary of this route its share again."""

    model_config = ConfigDict(extra="forbid")

    route: str = Field(min_length=1, max_length=1_024)
    note: str = Field("", max_length=500)


def canaries_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["canaries"])

    @router.get("/canaries", summary="Canaries, and why one was rolled back")
    def canaries() -> Canaries:
        return Canaries(now_s=deps.clock.now(), canaries=[_out(each) for each in _desk(deps).all()])

    @router.post("/canaries/resume", summary="Let a canary go on that was rolled back")
    def resume(command: ResumeCommand) -> CanaryOut:
        found = _desk(deps).resume(command.route, BY, command.note)
        deps.log.info("canary_resumed_by_hand", route=command.route, note=command.note)
        return _out(found)

    return router


def _out(state: CanaryState) -> CanaryOut:
    return CanaryOut(
        route=state.route,
        service=state.service,
        canary=state.canary,
        weight=state.weight,
        rolled_back=state.rolled_back,
        since_s=state.since_s,
        reason=state.reason,
    )


def _desk(deps: ControlDeps) -> CanaryControl:
    if deps.canaries is None:
        raise ForegateError("not_found", "No gateway runs beside this console.")
    return deps.canaries
