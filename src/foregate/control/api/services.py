"""GET /services: what the gateway is configured to do, and how its targets stand."""

from collections.abc import Mapping

from fastapi import APIRouter

from foregate.control.api.shapes import Out
from foregate.control.deps import BreakerState, ControlDeps
from foregate.wire.snapshot import Route, Service, Snapshot


class TargetOut(Out):
    """One upstream address. `breaker` is null when its state is not known here."""

    url: str
    breaker: BreakerState | None


class RouteOut(Out):
    path: str
    strip: bool
    needs_key: bool
    rate_per_s: float | None
    burst: float | None


class ServiceOut(Out):
    name: str
    timeout_s: float
    breaker_failures: int
    breaker_open_s: float
    retry_attempts: int
    targets: list[TargetOut]
    routes: list[RouteOut]


class Services(Out):
    """The configuration in force. Keys are counted, never shown."""

    version: str
    environment: str
    gateway_url: str
    keys: int
    services: list[ServiceOut]


def services_router(deps: ControlDeps) -> APIRouter:
    router = APIRouter(tags=["configuration"])

    @router.get("/services", summary="Services, routes and targets")
    def services() -> Services:
        return services_out(deps.snapshot(), deps.breakers() if deps.breakers else {})

    return router


def services_out(snapshot: Snapshot, breakers: Mapping[str, BreakerState]) -> Services:
    host = f"[{snapshot.gateway_host}]" if ":" in snapshot.gateway_host else snapshot.gateway_host
    return Services(
        version=snapshot.version,
        environment=snapshot.environment,
        gateway_url=f"http://{host}:{snapshot.gateway_port}",
        keys=len(snapshot.keys),
        services=[_service(service, snapshot, breakers) for service in snapshot.services],
    )


def _service(service: Service, snapshot: Snapshot, breakers: Mapping[str, BreakerState]) -> ServiceOut:
    return ServiceOut(
        name=service.name,
        timeout_s=service.timeout_s,
        breaker_failures=service.breaker.failures,
        breaker_open_s=service.breaker.open_s,
        retry_attempts=service.retry.attempts,
        targets=[TargetOut(url=target.url, breaker=breakers.get(target.url)) for target in service.targets],
        routes=[_route(route) for route in snapshot.routes if route.service == service.name],
    )


def _route(route: Route) -> RouteOut:
    return RouteOut(
        path=route.path,
        strip=route.strip,
        needs_key=route.needs_key,
        rate_per_s=route.rate_limit.rate if route.rate_limit else None,
        burst=route.rate_limit.burst if route.rate_limit else None,
    )
