"""Settings → policy object. Each kind's module is imported only when a configuration asks for it: some are heavy."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from foregate.gateway.policies.policy import Means, Place, Policy
from foregate.wire.mtls import Mtls
from foregate.wire.policies import ApiKeySource, Basic

_CLASSES = {
    "ip_filter": "IpFilterPolicy",
    "cors": "CorsPolicy",
    "api_key": "ApiKeyPolicy",
    "jwt": "JwtPolicy",
    "basic": "BasicPolicy",
    "hmac": "HmacPolicy",
    "mtls": "MtlsPolicy",
    "load_shedding": "LoadSheddingPolicy",
    "bounds": "BoundsPolicy",
    "body_schema": "BodySchemaPolicy",
    "request_transform": "RequestTransformPolicy",
    "response_transform": "ResponseTransformPolicy",
    "cache": "CachePolicy",
    "mirror": "MirrorPolicy",
    "websocket": "WebSocketPolicy",
    "adaptive_concurrency": "AdaptiveConcurrencyPolicy",
    "bulkhead": "BulkheadPolicy",
}
KINDS = tuple(_CLASSES)
# What may be used without being configured.
DEFAULTS: dict[str, Any] = {"api_key": ApiKeySource, "basic": Basic, "mtls": Mtls}


def default_method(kind: str, models: bool) -> Any:
    """The settings of a way to authenticate that has none. Clients of `models` send their key as a bearer token."""
    return ApiKeySource(bearer=True) if models and kind == "api_key" else DEFAULTS[kind]()


def policy(kind: str, settings: Any, means: Means, place: Place) -> Policy:
    """The policy of this kind (a field of `wire.policies.Policies`, or "extension")."""
    if kind == "extension":
        return means.extensions[settings.name](settings.settings)
    module = import_module(f"foregate.gateway.policies.{kind}")
    made: Policy = getattr(module, _CLASSES[kind])(settings, means, place)
    return made


def authentication(methods: Sequence[Policy], means: Means) -> Policy:
    """Any of these ways of saying who one is."""
    from foregate.gateway.policies.authentication import Authentication

    return Authentication(methods, means.blocked)
