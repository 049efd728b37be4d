"""GET /services: what the gateway is configured to do, and how its targets stand."""

from collections.abc import Mapping, Sequence

from fastapi import APIRouter

from foregate.control.api.shapes import Out
from foregate.control.deps import BreakerState, ControlDeps
from foregate.wire.policies import CircuitBreaker, Retry, Timeouts
from foregate.wire.snapshot import Listener, Route, Service, Snapshot


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
    return Services(
        version=snapshot.version,
        environment=snapshot.environment,
        gateway_url=_url(snapshot.listeners),
        keys=len(snapshot.keys),
        services=[_service(service, snapshot, breakers) for service in snapshot.services],
    )


def _service(service: Service, snapshot: Snapshot, breakers: Mapping[str, BreakerState]) -> ServiceOut:
    own, general = service.policies, snapshot.policies
    breaker = own.circuit_breaker or general.circuit_breaker or CircuitBreaker()
    retry = own.retry or general.retry or Retry()
    timeouts = own.timeouts or general.timeouts or Timeouts()
    routes = [route for route in snapshot.routes if service.name in {part.service for part in route.services}]
    return ServiceOut(
        name=service.name,
        timeout_s=timeouts.attempt_s,
        breaker_failures=breaker.failures,
        breaker_open_s=breaker.open_s,
        retry_attempts=retry.attempts,
        targets=[TargetOut(url=target.url, breaker=breakers.get(target.url)) for target in service.targets],
        routes=[_route(route) for route in routes],
    )


def _route(route: Route) -> RouteOut:
    buckets = [limit for limit in route.policies.rate_limits if limit.rate is not None]
    rate = buckets[0].rate if buckets else None
    return RouteOut(
        path=route.rule.path,
        strip=route.strip,
        needs_key=bool(route.auth),
        rate_per_s=rate.amount / rate.per_s if rate else None,
        burst=buckets[0].burst if buckets else None,
    )


def _url(listeners: Sequence[Listener]) -> str:
    """Where clients find the gateway: its first TCP listener."""
    for listener in listeners:
        if not listener.socket:
            host = f"[{listener.host}]" if ":" in listener.host else listener.host
            return f"{'https' if listener.certificates else 'http'}://{host}:{listener.port}"
    return f"unix:{listeners[0].socket}" if listeners else ""
