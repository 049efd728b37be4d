"""The console's application: routers put together, nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, FastAPI

from foregate.control import problems
from foregate.control.access.codes import OneTimeCodes
from foregate.control.access.guard import Guard
from foregate.control.access.routes import link_router, login_router
from foregate.control.access.session import Sessions
from foregate.control.access.shell import Shell
from foregate.control.api.accounts import accounts_router, own_metrics_router
from foregate.control.api.ai_usage import ai_usage_router
from foregate.control.api.alerts import alerts_router
from foregate.control.api.anomalies import anomalies_router
from foregate.control.api.blocks import blocks_router
from foregate.control.api.cache import cache_router
from foregate.control.api.canaries import canaries_router
from foregate.control.api.config import config_router
from foregate.control.api.deployments import deployments_router
from foregate.control.api.events import events_router
from foregate.control.api.export import export_router
from foregate.control.api.forecast import forecast_router
from foregate.control.api.health import health_router
from foregate.control.api.journeys import journeys_router
from foregate.control.api.lab import lab_router
from foregate.control.api.live import live_router
from foregate.control.api.logs import logs_router
from foregate.control.api.metrics import metrics_router
from foregate.control.api.model import model_router
from foregate.control.api.models import models_router
from foregate.control.api.objectives import objectives_router
from foregate.control.api.query import query_router
from foregate.control.api.requests import requests_router
from foregate.control.api.risks import risks_router
from foregate.control.api.services import services_router
from foregate.control.api.shapes import Problem
from foregate.control.api.status import status_router
from foregate.control.api.tail import tail_router
from foregate.control.console.files import ASSETS, console_router
from foregate.control.deps import ControlDeps
from foregate.control.live.hub import Hub
from foregate.control.live.producer import produce
from foregate.control.openapi import describe
from foregate.control.parameters import known_parameters
from foregate.control.turns import Turns
from foregate.kernel.tasks import spawn

API = "/api/v1"
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": sentence}
    for status, sentence in (
        (400, "A parameter is not valid."),
        (401, "The console's token is missing or wrong."),
        (403, "The request comes from another origin."),
        (404, "There is nothing here under this name."),
    )
}


def create_app(deps: ControlDeps, assets: Path = ASSETS) -> FastAPI:
    """The application of one control process. `app.state.hub` is its live hub: close it to end all live streams."""
    hub = Hub()
    codes = OneTimeCodes(deps.clock)
    sessions = Sessions(deps.console_token, deps.clock)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        producer = spawn(produce(hub, deps), name="live producer", on_error=_report(deps))
        yield
        hub.close()
        producer.cancel()
        with suppress(BaseException):  # cancelled, or failed and reported: either way it is over
            await producer

    app = FastAPI(
        title="foregate",
        version=deps.version,
        summary="What passes through the gateway, what is unusual, and what will fail next.",
        lifespan=lifespan,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.hub = hub
    problems.install(app)
    app.include_router(_api(deps, hub, codes))
    app.include_router(health_router(deps))
    app.include_router(own_metrics_router(deps))
    app.include_router(login_router(deps.console_token, codes, sessions))
    app.include_router(console_router(assets))
    app.add_middleware(Shell, guard=Guard(deps.console_token, deps.hosts, sessions.valid), log=deps.log)
    describe(app)
    return app


def _api(deps: ControlDeps, hub: Hub, codes: OneTimeCodes) -> APIRouter:
    turns = Turns(deps.clock)
    api = APIRouter(prefix=API, dependencies=[Depends(known_parameters)], responses=_ERRORS)
    for router in (
        metrics_router(deps),
        events_router(deps, hub),
        risks_router(deps),
        alerts_router(deps),
        anomalies_router(deps),
        objectives_router(deps),
        forecast_router(deps),
        model_router(deps),
        models_router(deps),
        services_router(deps),
        status_router(deps),
        accounts_router(deps),
        config_router(deps),
        cache_router(deps),
        blocks_router(deps),
        canaries_router(deps),
        deployments_router(deps),
        ai_usage_router(deps),
        query_router(deps, turns),
        requests_router(deps, turns),
        tail_router(deps, hub),
        export_router(deps),
        live_router(hub),
        journeys_router(deps),
        logs_router(deps),
        lab_router(deps),
        link_router(codes),
    ):
        api.include_router(router)
    return api


def _report(deps: ControlDeps) -> Any:
    def report(name: str, error: BaseException) -> None:
        deps.log.warning("task_failed", task=name, error=repr(error))

    return report
