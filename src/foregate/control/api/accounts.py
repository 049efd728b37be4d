"""GET /telemetry/accounts: what became of every item. GET /metrics: foregate's own numbers, for Prometheus."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from foregate.control.api.shapes import Out
from foregate.control.deps import ControlDeps
from foregate.wire.accounts import Kind


class AccountOut(Out):
    """Items since ever. received = accepted + duplicate + invalid + shed + late + lost + waiting + missing.

    `waiting`: on the bus, and not yet in a store. `missing`: what the sums do not explain; not 0 for longer than a
    minute, and somebody has to look.
    """

    kind: Kind
    received: int
    accepted: int
    duplicate: int
    invalid: int
    shed: int
    late: int
    lost: int
    waiting: int
    missing: int


class Accounts(Out):
    accounts: list[AccountOut]


def accounts_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["telemetry"])

    @router.get("/telemetry/accounts", summary="What became of every item of telemetry")
    def accounts() -> Accounts:
        return Accounts(
            accounts=[
                AccountOut(
                    kind=each.kind,
                    received=each.received,
                    accepted=each.accepted,
                    duplicate=each.duplicate,
                    invalid=each.invalid,
                    shed=each.shed,
                    late=each.late,
                    lost=each.lost,
                    waiting=each.waiting,
                    missing=each.missing,
                )
                for each in deps.accounts()
            ]
        )

    return router


def own_metrics_router(deps: ControlDeps) -> APIRouter:
    """Outside of the API, where Prometheus looks; with the console's token like everything here."""
    router = APIRouter(tags=["telemetry"])

    @router.get("/metrics", include_in_schema=False)
    def own_metrics() -> PlainTextResponse:
        return PlainTextResponse(deps.own_metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
