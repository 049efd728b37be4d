"""GET, POST, DELETE /blocks: who is blocked and why, by hand, and undone. GET /abuse: what detection sees."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from foregate.control.api.shapes import Out, Problem
from foregate.control.deps import BlockControl, ControlDeps
from foregate.kernel.errors import ForegateError
from foregate.wire.abuse_overview import Asking
from foregate.wire.decision import AuditLine, Decision

MANUAL_S_MAX = 365 * 86_400
AUDIT_LINES = 50
BY = "console"


class BlockOut(Out):
    """`subject` is blocked until `until_s`; with the effect `observe` it only would be. `by` is empty for detection.

    `times`: how often within a day. `ended_s`: when somebody ended it before its time, null while nobody has.
    """

    id: str
    subject: str
    rule: str
    reason: str
    effect: Literal["block", "observe"]
    times: int
    since_s: float
    made_s: float
    until_s: float
    in_force: bool
    by: str
    ended_s: float | None
    ended_by: str


class AuditLineOut(Out):
    """What an operator has done."""

    time_s: float
    action: Literal["block", "undo", "resume"]
    subject: str
    block_id: str
    by: str
    note: str


class Blocks(Out):
    """The newest first."""

    now_s: float
    blocks: list[BlockOut]
    audit: list[AuditLineOut]


class BlockCommand(BaseModel):
    """Block an address, or a key by its id (`key:…`), for so long."""

    model_config = ConfigDict(extra="forbid")

    subject: str = Field(min_length=1, max_length=256)
    for_s: float = Field(3_600, gt=0, le=MANUAL_S_MAX)
    note: str = Field("", max_length=500)


class AskingOut(Out):
    """Somebody who asks much; never too few."""

    subject: str
    requests: int


class AbuseOut(Out):
    """What detection sees of all clients together.

    `visitors`: different addresses in this hour so far, `visitors_before` in the one before, 95 % within the share
    `visitors_error`. The top ones cover the last five to ten minutes, each too high by at most `requests_error`.
    """

    now_s: float
    time_s: float
    mode: Literal["off", "observe", "block"]
    events: int
    skipped: int
    clients: int
    visitors: int
    visitors_before: int
    visitors_error: float
    top_addresses: list[AskingOut]
    top_keys: list[AskingOut]
    requests_error: float
    growth: float
    spared: int


def blocks_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["abuse"])

    @router.get("/blocks", summary="Who is blocked, why and until when")
    def blocks(
        ended: Annotated[bool, Query(description="Those that are over, too.")] = False,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
    ) -> Blocks:
        desk, now_s = _desk(deps), deps.clock.now()
        found = desk.recent(limit) if ended else desk.in_force()[:limit]
        audit = [_line(line) for line in desk.audit(AUDIT_LINES)]
        return Blocks(now_s=now_s, blocks=[block_out(each, now_s) for each in found], audit=audit)

    @router.post(
        "/blocks",
        status_code=201,
        summary="Block somebody by hand",
        responses={409: {"model": Problem, "description": "It is on the allow list, which always wins."}},
    )
    def add(command: BlockCommand) -> BlockOut:
        made = _desk(deps).add(command.subject, command.for_s, command.note, BY)
        deps.log.info("blocked_by_hand", id=made.id, subject=made.subject, for_s=command.for_s, note=command.note)
        return block_out(made, deps.clock.now())

    @router.delete("/blocks/{block_id}", summary="End a block, and leave its subject alone")
    def undo(block_id: Annotated[str, Path(max_length=100)]) -> BlockOut:
        ended = _desk(deps).undo(block_id, "", BY)
        deps.log.info("block_undone", id=ended.id, subject=ended.subject)
        return block_out(ended, deps.clock.now())

    @router.get("/abuse", summary="Visitors, who asks most, and whether everybody does")
    def abuse() -> AbuseOut:
        overview = _desk(deps).overview()
        if overview is None:
            raise ForegateError("not_found", "Detection has not seen anything yet.")
        return AbuseOut(
            now_s=deps.clock.now(),
            time_s=overview.time_s,
            mode=overview.mode,
            events=overview.events,
            skipped=overview.skipped,
            clients=overview.clients,
            visitors=overview.visitors,
            visitors_before=overview.visitors_before,
            visitors_error=overview.visitors_error,
            top_addresses=[_asking(each) for each in overview.top_addresses],
            top_keys=[_asking(each) for each in overview.top_keys],
            requests_error=overview.requests_error,
            growth=overview.growth,
            spared=overview.spared,
        )

    return router


def block_out(decision: Decision, now_s: float) -> BlockOut:
    """As the API says it."""
    return BlockOut(
        id=decision.id,
        subject=decision.subject,
        rule=decision.rule,
        reason=decision.reason,
        effect=decision.effect,
        times=decision.times,
        since_s=decision.since_s,
        made_s=decision.made_s,
        until_s=decision.until_s,
        in_force=decision.in_force(now_s),
        by=decision.by,
        ended_s=decision.ended_s,
        ended_by=decision.ended_by,
    )


def _line(line: AuditLine) -> AuditLineOut:
    return AuditLineOut(
        time_s=line.time_s,
        action=line.action,
        subject=line.subject,
        block_id=line.decision_id,
        by=line.by,
        note=line.note,
    )


def _asking(asking: Asking) -> AskingOut:
    return AskingOut(subject=asking.subject, requests=asking.requests)


def _desk(deps: ControlDeps) -> BlockControl:
    if deps.blocks is None:
        raise ForegateError("not_found", "No gateway runs beside this console.")
    return deps.blocks
