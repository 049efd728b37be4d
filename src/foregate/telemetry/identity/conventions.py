"""OpenTelemetry's semantic conventions and our fields: one table, used to read (every name) and to write (the first).

The stable names come first, those of before behind them (semantic conventions 1.20 to 1.40, HTTP stabilised in 1.23).
docs/reference/telemetry-formats.md shows it to people.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from foregate.wire.event import AiUsage

RESOURCE: Final[Mapping[str, tuple[str, ...]]] = {
    "service": ("service.name",),
    "namespace": ("service.namespace",),
    "environment": ("deployment.environment.name", "deployment.environment"),
    "region": ("cloud.region", "cloud.availability_zone"),
    "cloud": ("cloud.provider",),
    "instance": ("host.name", "service.instance.id", "container.id"),
}
POD: Final = "k8s.pod.name"  # of what runs in Kubernetes it says more than the name of its host
RESOURCE_KEPT: Final = ("service.version", "k8s.cluster.name", "k8s.namespace.name", "k8s.deployment.name")

SPAN: Final[Mapping[str, tuple[str, ...]]] = {
    "method": ("http.request.method", "http.method"),
    "http_status": ("http.response.status_code", "http.status_code"),
    "route": ("http.route",),
    "path": ("url.path", "http.target", "url.full", "http.url"),
    "host": ("server.address", "http.host", "net.host.name", "http.server_name"),
    "client": ("client.address", "http.client_ip", "network.peer.address", "net.sock.peer.addr", "net.peer.ip"),
    "error": ("error.type", "exception.type"),
    "request_bytes": ("http.request.body.size", "http.request.size", "http.request_content_length"),
    "response_bytes": ("http.response.body.size", "http.response.size", "http.response_content_length"),
    "peer": (
        "service.peer.name",
        "peer.service",
        "server.address",
        "net.peer.name",
        "http.host",
        "messaging.destination.name",
        "messaging.destination",
        "db.system.name",
        "db.system",
        "rpc.service",
    ),
    "rpc": ("rpc.system.name", "rpc.system"),
    "rpc_service": ("rpc.service",),
    "rpc_method": ("rpc.method",),
    "rpc_status": ("rpc.response.status_code", "rpc.grpc.status_code"),
    "request_id": ("foregate.request.id", "http.request.header.x-request-id", "request.id", "request_id"),
    "key_id": ("foregate.key.id", "api.key.id", "api_key.id"),
}
AI: Final[Mapping[str, tuple[str, ...]]] = {
    "operation": ("gen_ai.operation.name",),
    "provider": ("gen_ai.provider.name", "gen_ai.system"),
    "model": ("gen_ai.request.model",),
    "answered_by": ("gen_ai.response.model",),
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "cached_tokens": ("gen_ai.usage.cache_read.input_tokens",),
    "finish_reason": ("gen_ai.response.finish_reasons",),
}
_NO_SERVICE: Final = "unknown_service"  # what OpenTelemetry calls it
_GRPC_STATUS: Final = {"OK": 0, "CANCELLED": 1, "UNKNOWN": 2, "INVALID_ARGUMENT": 3, "DEADLINE_EXCEEDED": 4}
_GRPC_STATUS_REST: Final = (
    "NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE"
    " UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED"
)
_GRPC_NUMBERS: Final = _GRPC_STATUS | {name: at for at, name in enumerate(_GRPC_STATUS_REST.split(), 5)}
_HTTP_OF_GRPC: Final = (200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 404, 500, 503, 500, 401)


class Origin(NamedTuple):
    """Where something comes from: a resource in our words. "" for what it does not say."""

    service: str
    environment: str
    region: str
    cloud: str
    instance: str
    kept: dict[str, str]  # further attributes, that go with every item


def first(attributes: Mapping[str, str], names: tuple[str, ...]) -> str:
    """The value of the first name that has one."""
    for name in names:
        value = attributes.get(name)
        if value:
            return value
    return ""


def origin(attributes: Mapping[str, str]) -> Origin:
    """A service with a namespace is "namespace/name", as in the label `job` of Prometheus."""
    name = first(attributes, RESOURCE["service"]) or _NO_SERVICE
    namespace = first(attributes, RESOURCE["namespace"])
    return Origin(
        f"{namespace}/{name}" if namespace else name,
        first(attributes, RESOURCE["environment"]),
        first(attributes, RESOURCE["region"]),
        first(attributes, RESOURCE["cloud"]),
        attributes.get(POD) or first(attributes, RESOURCE["instance"]),
        {name: attributes[name] for name in RESOURCE_KEPT if name in attributes},
    )


def resource_attributes(service: str, environment: str, region: str, cloud: str, instance: str) -> dict[str, str]:
    """The way back. What is "" is left out."""
    said = {"service": service, "environment": environment, "region": region, "cloud": cloud, "instance": instance}
    return {RESOURCE[field][0]: value for field, value in said.items() if value}


def whole(text: str, most: int = 1 << 53) -> int:
    """A count that is written as text; 0 for anything else."""
    return min(int(text), most) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def http_status(attributes: Mapping[str, str]) -> int:
    """Of an HTTP or RPC span: what it says, or what its gRPC status is beside; 0 without one."""
    status = whole(first(attributes, SPAN["http_status"]))
    if 100 <= status <= 599:
        return status
    said = first(attributes, SPAN["rpc_status"])
    number = _GRPC_NUMBERS.get(said.upper()) if not said.isdigit() else whole(said)
    return _HTTP_OF_GRPC[number] if said and number is not None and number < len(_HTTP_OF_GRPC) else 0


def ai_usage(attributes: Mapping[str, str]) -> AiUsage | None:
    """What a span says of a language model; None when it says nothing."""
    operation, model = first(attributes, AI["operation"]), first(attributes, AI["model"])
    if not operation and not model:
        return None
    return AiUsage(
        operation or "chat",
        first(attributes, AI["provider"]),
        model,
        first(attributes, AI["answered_by"]) or model,
        whole(first(attributes, AI["input_tokens"])),
        whole(first(attributes, AI["output_tokens"])),
        whole(first(attributes, AI["cached_tokens"])),
        0.0,
        False,
        -1.0,
        -1.0,
        False,
        first(attributes, AI["finish_reason"]).strip('[]"'),
    )


def ai_attributes(usage: AiUsage) -> dict[str, str | int]:
    """The way back."""
    said: dict[str, str | int] = {names[0]: getattr(usage, field) for field, names in AI.items()}
    return {name: value for name, value in said.items() if value != ""}
