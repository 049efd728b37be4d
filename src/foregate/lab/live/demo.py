"""The demo's foregate.yaml, as data."""

from collections.abc import Mapping
from typing import Any

from foregate.lab.gateway_settings import SETTINGS
from foregate.lab.live.config import HOST
from foregate.lab.traffic.visits import CLIENTS, ROUTES, Route

VISITOR = "demo"  # the key that a newcomer's curl uses


def demo_config(ports: Mapping[str, int], *, listen: Mapping[str, str] | None = None) -> dict[str, Any]:
    """foregate.yaml for a lab whose instances listen on `ports` (instance name → port).

    Each key refers to an environment variable: `FOREGATE_DEMO_KEY` for the visitor, `FOREGATE_DEMO_WEB_KEY`,
    `FOREGATE_DEMO_MOBILE_KEY` and `FOREGATE_DEMO_PARTNER_KEY` for the clients of the traffic generator.
    """
    config: dict[str, Any] = {"org": "demo", "environment": "demo"}
    if listen is not None:
        config["listen"] = dict(listen)
    config["services"] = {name: _service(name, ports) for name in SETTINGS}
    config["routes"] = [_route(route) for route in ROUTES]
    config["keys"] = [{"name": VISITOR, "secret": "${env:FOREGATE_DEMO_KEY}"}]
    config["keys"] += [
        {"name": client.key_id, "secret": "${env:" + key_variable(client.key_id) + "}"} for client in CLIENTS
    ]
    return config


def key_variable(client: str) -> str:
    """The environment variable that holds a client's key."""
    return f"FOREGATE_DEMO_{client.upper()}_KEY"


def _service(name: str, ports: Mapping[str, int]) -> dict[str, Any]:
    settings = SETTINGS[name]
    return {
        "targets": [f"http://{HOST}:{port}" for instance, port in ports.items() if instance.startswith(f"{name}-")],
        "policies": {
            "timeouts": {"attempt_s": settings.timeout_s},
            "circuit_breaker": {"failures": settings.failures, "open_s": settings.open_s},
            "retry": {"attempts": settings.attempts, "base_s": settings.base_s, "max_s": settings.max_s},
        },
    }


def _route(route: Route) -> dict[str, Any]:
    config: dict[str, Any] = {"path": route.path, "service": route.service}
    if route.strip:
        config["strip"] = True
    if route.per_s:
        config["policies"] = {"rate_limits": [{"rate": f"{route.per_s:g}/s", "burst": route.burst}]}
    return config
