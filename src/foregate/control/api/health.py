"""Health of the control process itself, without sign-in: for supervisors and load balancers."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from foregate.control.deps import ControlDeps


def health_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    async def alive() -> dict[str, str]:
        return {"status": "ok", "role": "control", "version": deps.version}

    def ready() -> JSONResponse:
        """Ready means that the stores answer; a store that does not raises, which answers 500."""
        deps.findings.alerts(state="open", limit=1, before=None)
        deps.telemetry.counts()
        return JSONResponse({"status": "ok", "role": "control", "version": deps.version})

    for path in ("/health", "/healthz", "/health/live"):
        router.add_api_route(path, alive, methods=["GET"])
    router.add_api_route("/health/ready", ready, methods=["GET"])
    return router
