"""The foregate.yaml of the demo, or of several worlds side by side, as data."""

from collections.abc import Mapping
from typing import Any

from foregate.lab.gateway_settings import SETTINGS
from foregate.lab.live.config import HOST
from foregate.lab.traffic.visits import CLIENTS, ROUTES, Route

VISITOR = "demo"  # the key that a newcomer's curl uses …
VISITOR_VARIABLE = "FOREGATE_DEMO_KEY"  # … and where it is
TELEMETRY_KEY = "lab"
INGEST = "ingest"
TELEMETRY_VARIABLE = "FOREGATE_DEMO_TELEMETRY_KEY"  # what the services send their metrics with


def demo_config(ports: Mapping[str, int], *, listen: Mapping[str, str] | None = None) -> dict[str, Any]:
    """foregate.yaml for a lab whose instances listen on `ports` (instance name → port).

    Each key refers to an environment variable: `FOREGATE_DEMO_KEY` for the visitor, `FOREGATE_DEMO_WEB_KEY`,
    `FOREGATE_DEMO_MOBILE_KEY` and `FOREGATE_DEMO_PARTNER_KEY` for the clients of the traffic generator; where `listen`
    names an `ingest`, `FOREGATE_DEMO_TELEMETRY_KEY` for the metrics of the services.
    """
    return worlds_config({"": ports}, listen=listen)


def worlds_config(
    worlds: Mapping[str, Mapping[str, int]], *, listen: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The same for several worlds, by name. The services of world "w07" are called "payments-w07" and so on, and its
    clients ask below "/w07": `LabConfig.gateway_url` ends in it. A world whose name is "" is the demo's own.
    """
    config: dict[str, Any] = {"org": "demo", "environment": "demo"}
    if listen is not None:
        config["listen"] = {name: [at] if name == INGEST else at for name, at in listen.items()}
        if INGEST in listen:
            secret = "${env:" + TELEMETRY_VARIABLE + "}"
            config["telemetry"] = {"ingest_keys": [{"name": TELEMETRY_KEY, "secret": secret}]}
    config["services"] = {
        service_name(name, world): _service(name, ports) for world, ports in worlds.items() for name in SETTINGS
    }
    config["routes"] = [_route(route, world) for world in worlds for route in ROUTES]
    config["keys"] = [{"name": VISITOR, "secret": "${env:" + VISITOR_VARIABLE + "}"}]
    config["keys"] += [
        {"name": client.key_id, "secret": "${env:" + key_variable(client.key_id) + "}"} for client in CLIENTS
    ]
    return config


def service_name(name: str, world: str) -> str:
    """What the gateway calls the service `name` of a world."""
    return f"{name}-{world}" if world else name


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


def _route(route: Route, world: str) -> dict[str, Any]:
    prefix = f"/{world}" if world else ""
    config: dict[str, Any] = {"path": prefix + route.path, "service": service_name(route.service, world)}
    if route.strip:
        config["strip"] = True
    elif prefix:
        config["rewrite"] = {"regex": f"^{prefix}(/.*)$", "to": r"\1"}
    if route.per_s:
        config["policies"] = {"rate_limits": [{"rate": f"{route.per_s:g}/s", "burst": route.burst}]}
    return config
