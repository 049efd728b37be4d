"""What does not fit together about routes to models and the services that have them."""

from collections.abc import Iterator

from foregate.app.config.addresses import parse_target
from foregate.app.config.problems import Path, did_you_mean
from foregate.app.config.schema import Config, Route
from foregate.app.config.unguarded import holds
from foregate.gateway.ai.models import Catalogue
from foregate.gateway.scopes import resolve
from foregate.wire.ai import AiRoute
from foregate.wire.policies import NO_POLICIES

Found = tuple[Path, str]
_OF_OTHERS = ("strip", "rewrite", "host")  # keys that say what a route's own service is asked for
# What of a service's policies holds for requests to its models; all others are those of routes.
_OF_SERVICES = frozenset(
    ("bulkhead", "adaptive_concurrency", "circuit_breaker", "service_breaker", "timeouts", "retry", "priority")
)
_MEANINGLESS = {
    "hedge": "another model is asked when one is slow: see first_token_timeout_s",
    "cache": "answers of models are kept by ai.answer_cache",
    "mirror": "requests to models are not mirrored",
}


def bad_models(config: Config) -> Iterator[Found]:
    """Every contradiction, with its place."""
    yield from _doubled_paths(config)
    for index, route in enumerate(config.routes):
        if route.ai is not None:
            yield from _route(config, route, route.ai, ("routes", index))


def _doubled_paths(config: Config) -> Iterator[Found]:
    """A target that holds the path of the API already."""
    for name, service in config.services.items():
        if service.ai is None or not service.ai.path:
            continue
        for index, target in enumerate(service.targets):
            url = target if isinstance(target, str) else target.url
            path = service.ai.path
            if parse_target(url)[2].endswith(path):
                sentence = f"would be asked for {path}{path}/…: leave {path} off, or set ai.path to an empty text"
                yield ("services", name, "targets", index), sentence


def _route(config: Config, route: Route, ai: AiRoute, path: Path) -> Iterator[Found]:
    for name in _OF_OTHERS:
        if getattr(route, name):
            yield (*path, name), "belongs to a route with a service: what a provider is asked for is its API's own"
    for kind, instead in _MEANINGLESS.items():
        if getattr(route.policies, kind, None) is not None:
            yield (*path, "policies", kind), f"does nothing on a route to models: {instead}"
    if route.policies.fallback is not None and route.policies.fallback.service is not None:
        yield (*path, "policies", "fallback", "service"), "does nothing on a route to models: name models in ai.models"
    yield from _passed_by(config, route, ai, path)
    whole = True
    for index, name in enumerate(ai.services):
        service = config.services.get(name)
        if service is None or service.ai is None:
            whole = False
            said = f'there is no service "{name}"{did_you_mean(name, config.services)}'
            if service is not None:
                said = f'the service "{name}" has no ai: which models it has, and whose API it speaks'
            yield (*path, "ai", "services", index), said
    if whole:
        yield from _names(config, ai, (*path, "ai", "models"))
    cache = ai.answer_cache
    if cache is not None and cache.share != "public" and not route.auth:
        sentence = "but auth is none: nobody here says who they are. Only public answers can be shared (share: public)"
        yield (*path, "ai", "answer_cache", "share"), f"is {cache.share}, {sentence}"


def _passed_by(config: Config, route: Route, ai: AiRoute, path: Path) -> Iterator[Found]:
    """Policies of services that nobody who comes by this route would meet."""
    resolved = resolve([("", config.policies), ("route", route.policies)])
    for index, name in enumerate(ai.services):
        policies = config.services[name].policies if name in config.services else NO_POLICIES
        for kind in policies.__struct_fields__:
            wanted = getattr(policies, kind)
            if wanted and kind not in _OF_SERVICES and not holds(kind, wanted, resolved):
                said = f"leads to {name}, whose policies.{kind} would not be asked: set the same on this route"
                yield (*path, "ai", "services", index), said


def _names(config: Config, ai: AiRoute, path: Path) -> Iterator[Found]:
    """Models that are named and that nobody has."""
    providers = {name: found for name in ai.services if (found := config.services[name].ai) is not None}
    catalogue = Catalogue(AiRoute(services=ai.services), providers)
    known = [name for provider in providers.values() for name in provider.models]
    for alias, meant in ai.models.items():
        for field in ("to", "fallback"):
            for index, name in enumerate(getattr(meant, field)):
                if catalogue.plan(name) is None:
                    said = f'no service of this route has a model "{name}"{did_you_mean(name, known)}'
                    yield (*path, alias, field, index), said
        if not meant.to and catalogue.plan(alias) is None:
            said = f'needs to: no service of this route has a model "{alias}"{did_you_mean(alias, known)}'
            yield (*path, alias), said
