"""GET /models: models of own traffic, who serves, how far learning has come, whether they still fit. GET /models/card.
POST /models/rollback: let an earlier one serve again."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from foregate.control.api.shapes import Out
from foregate.control.deps import ControlDeps, ModelControl
from foregate.kernel.errors import ForegateError
from foregate.wire.models import ModelEntry, OrgModels, Serving, Shift, state_of

BY = "console"
OrgName = Annotated[str, Query(min_length=1, max_length=200, description="Whose.")]
VersionName = Annotated[str, Query(min_length=1, max_length=200, description="Of a model, as /models names it.")]


class ModelOut(Out):
    """`from_s` to `until_s`: the traffic it learned from and was judged on. `reason`: why it was better, or was not."""

    version: str
    state: Literal["serving", "withdrawn", "refused", "kept"]
    made_s: float
    from_s: float
    until_s: float
    reason: str


class ChangeOut(Out):
    """Another model began to serve. `by`: learning, cli or console."""

    at_s: float
    version: str
    before: str
    by: str
    reason: str


class LearningOut(Out):
    """The last attempt to learn. `sentence`: what came of it, e.g. "learning: 3 of 14 days, 2 of 20 failures"."""

    at_s: float
    outcome: Literal["learning", "promoted", "refused", "failed"]
    sentence: str
    days: float
    failures: int
    apis: int
    version: str
    took_s: float


class ShiftOut(Out):
    """Whether the model still fits the traffic that it judges, and on what grounds."""

    at_s: float
    version: str
    state: Literal["unknown", "fits", "drifting", "no longer fits"]
    sentences: list[str]
    rows: int


class OrgModelsOut(Out):
    """`serving`: who is to serve since when, "bundled" for the prior model. `judged_by`: who really does, "off" for
    nobody, null where nothing was judged yet; `note`: why that is another one, or what could not be read."""

    org: str
    serving: str
    since_s: float
    judged_by: str | None
    note: str
    models: list[ModelOut]
    changes: list[ChangeOut]
    learning: LearningOut | None
    shift: ShiftOut | None


class Models(Out):
    """`fixed`: the file of `predict.model_path`, which then judges everybody; null without one."""

    now_s: float
    fixed: str | None
    orgs: list[OrgModelsOut]


class OwnCardOut(Out):
    """`card` is the file that lies beside the model."""

    version: str
    card: dict[str, Any]


class RollbackCommand(BaseModel):
    """Let `version`, or what served before, serve this organisation again; "bundled" for the prior model."""

    model_config = ConfigDict(extra="forbid")

    org: str = Field(min_length=1, max_length=200)
    version: str | None = Field(None, min_length=1, max_length=200)
    note: str = Field("", max_length=500)


class ServingOut(Out):
    """Who serves now."""

    org: str
    version: str
    since_s: float


def models_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["prediction"])

    @router.get("/models", summary="Models of own traffic, and which of them serve")
    def models() -> Models:
        desk = _desk(deps)
        return Models(now_s=deps.clock.now(), fixed=desk.fixed, orgs=[_out(each) for each in desk.all()])

    @router.get("/models/card", summary="The card of a model of own traffic")
    def card(org: OrgName, version: VersionName) -> OwnCardOut:
        content = _desk(deps).card(org, version, "card.json")
        try:
            return OwnCardOut(version=version, card=msgspec.json.decode(content, type=dict[str, Any]))
        except msgspec.DecodeError as error:
            raise OSError(f"the card of model {version} of {org} is damaged: {error}") from error

    @router.post("/models/rollback", summary="Let an earlier model serve again")
    def rollback(command: RollbackCommand) -> ServingOut:
        serving = _desk(deps).roll_back(command.org, command.version, BY, command.note)
        deps.log.info("model_rolled_back_by_hand", org=command.org, version=serving.version, note=command.note)
        return ServingOut(org=command.org, version=serving.version, since_s=serving.since_s)

    return router


def _out(each: OrgModels) -> OrgModelsOut:
    in_force = each.in_force
    notes = [note for note in (in_force.note if in_force else "", each.note) if note]
    return OrgModelsOut(
        org=each.org,
        serving=each.serving.version,
        since_s=each.serving.since_s,
        judged_by=in_force.version if in_force is not None else None,
        note="; ".join(notes),
        models=[_model(entry, each.serving) for entry in each.entries],
        changes=[ChangeOut(**msgspec.structs.asdict(change)) for change in reversed(each.serving.changes)],
        learning=LearningOut(**msgspec.structs.asdict(each.learning)) if each.learning is not None else None,
        shift=_shift(each.shift) if each.shift is not None else None,
    )


def _model(entry: ModelEntry, serving: Serving) -> ModelOut:
    return ModelOut(
        version=entry.version,
        state=state_of(entry, serving),
        made_s=entry.made_s,
        from_s=entry.from_s,
        until_s=entry.until_s,
        reason=entry.reason,
    )


def _shift(shift: Shift) -> ShiftOut:
    return ShiftOut(
        at_s=shift.at_s, version=shift.version, state=shift.state, sentences=list(shift.sentences), rows=shift.rows
    )


def _desk(deps: ControlDeps) -> ModelControl:
    if deps.models is None:
        raise ForegateError("not_found", "No analyzer runs beside this console.")
    return deps.models
