"""Which route, policies and target a request would meet, and why. Pure: nothing is asked, nothing is counted."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from foregate.app.config.shown import shown
from foregate.gateway.chains import AFTER, BEFORE, HANDLING, LAST, SHAPING, UPGRADING
from foregate.gateway.match import Match, Router
from foregate.gateway.match.explain import explain as explain_rules
from foregate.gateway.match.rewrite import rewritten, stripped
from foregate.gateway.policies.cors import Origins
from foregate.gateway.policies.make import default_method
from foregate.gateway.policies.networks import Networks
from foregate.gateway.policies.websocket import may_open
from foregate.gateway.scopes import Resolved, Set, resolve, without_route
from foregate.http1.headers import HeaderList, find, tokens
from foregate.wire.match import Rule
from foregate.wire.policies import CircuitBreaker, IpFilter, Policies, Retry, Timeouts
from foregate.wire.snapshot import Key, Route, Service, Snapshot
from foregate.wire.websocket import WebSocket

_ON_THE_WAY = {"timeouts": Timeouts, "retry": Retry, "circuit_breaker": CircuitBreaker}  # they always hold
_ON_THE_WAY_TOO = ("service_breaker", "hedge", "fallback", "event_stream", "response_transform")
_BY_CLIENT = ("key", "org", "plan")
_NOWHERE = Route("", Rule(), auth=())  # what a request is taken for that no route takes


class Asked(NamedTuple):
    """A request as a person describes it. `key` is the name of an API key, `client` an address; "": not said."""

    method: str
    url: str
    headers: HeaderList = []  # noqa: RUF012 - never changed
    key: str = ""
    client: str = ""


class Considered(msgspec.Struct, frozen=True):
    """A route, and why it was taken or not."""

    route: str
    matched: bool
    why: str


class Met(msgspec.Struct, frozen=True):
    """A policy that the request meets, where it was set, and what can already be said of its verdict."""

    policy: str
    set_by: str
    settings: Any
    verdict: str = ""


class Way(msgspec.Struct, frozen=True):
    """One of the services that the request may be given to. `share` is of the route's traffic, 0 to 1."""

    service: str
    share: float
    algorithm: str
    targets: tuple[str, ...]
    path: str
    host: str
    policies: tuple[Met, ...]


class Explanation(msgspec.Struct, frozen=True):
    """`outcome` says in a sentence what would happen; `route` is None when none takes the request."""

    outcome: str
    route: str | None
    considered: tuple[Considered, ...]
    policies: tuple[Met, ...] = ()
    ways: tuple[Way, ...] = ()


def explain(snapshot: Snapshot, asked: Asked, environment: Mapping[str, str]) -> Explanation:
    """`environment`: values that came from it, which are not to be shown. Raises ValueError for a URL that is none."""
    url = urlsplit(asked.url if "://" in asked.url or asked.url.startswith("/") else f"//{asked.url}")
    host, path = url.netloc.encode("idna") if url.netloc else b"localhost", (url.path or "/").encode()
    router: Router[Route] = Router([(route.rule, route) for route in snapshot.routes])
    method, query = asked.method.upper().encode(), url.query.encode()
    reasons = explain_rules(router, method, host, path, query, asked.headers)
    considered = tuple(
        Considered(snapshot.routes[reason.rule].name, reason.matched, _by_name(reason.sentence, snapshot))
        for reason in reasons
    )
    found = router.find(method, host, path, query, asked.headers)
    if isinstance(found, Match):
        return _matched(snapshot, found, asked, considered, environment, path, host)
    said = "400 malformed_request: the path is ambiguous"
    if found is None:
        taken = [each.decode() for each in router.methods(host, path, query, asked.headers)]
        said = f"405 method_not_allowed (Allow: {', '.join(taken)})" if taken else "404 route_not_found"
    met = _met(resolve([("", without_route(snapshot.policies))]), _NOWHERE, asked, None, environment)
    return Explanation(said, None, considered, tuple(met))


def _matched(
    snapshot: Snapshot,
    found: Match[Route],
    asked: Asked,
    considered: tuple[Considered, ...],
    environment: Mapping[str, str],
    path: bytes,
    host: bytes,
) -> Explanation:
    route = found.value
    key = next((each for each in snapshot.keys if each.name == asked.key), None)
    services = {service.name: service for service in snapshot.services}
    weights = sum(part.weight for part in route.services)
    ways = []
    for part in route.services:
        service = services[part.service]
        resolved = _resolved(snapshot, route, service, key)
        upstream = _upstream_path(route, path, found)
        ways.append(
            Way(
                service.name,
                round(part.weight / weights, 4),
                _algorithm(service),
                tuple(_target(target.url, target.weight, target.zone) for target in service.targets),
                service.targets[0].prefix + upstream if upstream is not None else "(refused: 400)",
                host.decode() if route.host == "" else route.host or service.targets[0].authority,
                tuple(_met(resolved, route, asked, key, environment)),
            )
        )
    if not ways:
        resolved = _resolved(snapshot, route, None, key)
        return Explanation(_end(route), route.name, considered, tuple(_met(resolved, route, asked, key, environment)))
    outcome = _outcome(ways, route)
    if tokens(find(asked.headers, b"upgrade") or b"") and all(met.policy != "websocket" for met in ways[0].policies):
        outcome += " without its wish to upgrade: this route takes no WebSockets"
    return Explanation(outcome, route.name, considered, ways[0].policies, tuple(ways))


def _resolved(snapshot: Snapshot, route: Route, service: Service | None, key: Key | None) -> Resolved:
    places: list[tuple[str, Policies]] = [("", snapshot.policies)]
    if service is not None:
        places.append((f"service:{service.name}", service.policies))
    places.append((f"route:{route.name}", route.policies))
    if key is not None:
        places += [(f"plan:{plan.name}", plan.policies) for plan in snapshot.plans if plan.name == key.plan]
        places.append((f"key:{key.name}", key.policies))
    return resolve(places)


def _met(resolved: Resolved, route: Route, asked: Asked, key: Key | None, environment: Mapping[str, str]) -> list[Met]:
    """The policies in the order in which the request meets them."""

    def met(kind: str, place: Set, verdict: str = "") -> Met:
        return Met(kind, _scope(place.scope), shown(place.settings, environment), verdict)

    one = resolved.one
    found = [
        met(kind, one[kind], _filtered(one[kind].settings, asked.client) if kind == "ip_filter" else "")
        for kind in BEFORE
        if kind in one
    ]
    for method in route.auth:
        place = one.get(method) or Set("default", default_method(method, route.ai is not None))
        found.append(met(method, place, _authenticated(route, asked, key)))
    found += [met(kind, one[kind]) for kind in AFTER if kind in one]
    for kind in ("rate_limits", "quotas", "token_limits"):
        if kind == "token_limits" and route.ai is None:
            continue
        found += [met(kind, place, _counted(place.settings.by, key)) for place in resolved.many[kind]]
    found += [met(kind, one[kind]) for kind in SHAPING if kind in one]
    found += [met("extensions", place) for place in resolved.many["extensions"]]
    if route.ai is not None and "models" in one:
        found.append(met("models", one["models"]))
    if route.services:
        found += [met(kind, one[kind], _opens(one[kind].settings, asked)) for kind in UPGRADING if kind in one]
        found += [met(kind, one[kind]) for kind in HANDLING if kind in one]
        found += [met(kind, one[kind]) for kind in LAST if kind in one]
        found += [met(kind, one.get(kind) or Set("default", default())) for kind, default in _ON_THE_WAY.items()]
    found += [met(kind, one[kind]) for kind in _ON_THE_WAY_TOO if kind in one]
    if "priority" in one:
        found.append(met("priority", one["priority"]))
    return found


def _scope(scope: str) -> str:
    return scope.replace(":", " ", 1) or "global"


def _filtered(settings: IpFilter, client: str) -> str:
    if not client:
        return ""
    if settings.deny and Networks(settings.deny).covers(client):
        return f"refuses {client}: it is denied (403)"
    if settings.allow and not Networks(settings.allow).covers(client):
        return f"refuses {client}: it is not allowed (403)"
    return f"passes {client}"


def _authenticated(route: Route, asked: Asked, key: Key | None) -> str:
    if asked.key:
        return f"passes as {key.name}" if key is not None else f'there is no key "{asked.key}" (401)'
    return f"without credentials: 401 (any of {', '.join(route.auth)} is enough)"


def _opens(settings: WebSocket, asked: Asked) -> str:
    origin = find(asked.headers, b"origin")
    if origin is None:
        return "takes WebSockets"
    host = urlsplit(asked.url).netloc.encode() or b"localhost"
    taken = may_open(Origins(settings.origins), settings, origin, host)
    return "takes WebSockets" if taken else f"refuses WebSockets of pages of {origin.decode('latin-1')} (403)"


def _counted(by: str, key: Key | None) -> str:
    return f"counts per {by}" + ("" if key is not None or by not in _BY_CLIENT else ": say --key to see whose")


def _upstream_path(route: Route, path: bytes, found: Match[Route]) -> str | None:
    made: bytes | None = path
    if route.rewrite is not None:
        made = rewritten(route.rewrite, path, found.params)
    elif route.strip:
        made = stripped(path, found.end)
    return None if made is None else made.decode("latin-1")


def _algorithm(service: Service) -> str:
    if len(service.targets) == 1:
        return "its only target"
    balance = service.balance
    return f"{balance.algorithm} by {balance.hash_by}" if balance.algorithm == "consistent_hash" else balance.algorithm


def _target(url: str, weight: int, zone: str) -> str:
    return url + (f" (weight {weight})" if weight != 1 else "") + (f" in {zone}" if zone else "")


def _outcome(ways: Sequence[Way], route: Route) -> str:
    if len(ways) == 1:
        return f"goes to the service {ways[0].service}"
    sticky = ", a client always to the same" if route.sticky else ""
    return "goes to " + " or ".join(f"{way.service} ({way.share:.0%})" for way in ways) + sticky


def _end(route: Route) -> str:
    if route.redirect is not None:
        return f"is sent to {route.redirect.to} ({route.redirect.status})"
    if route.ai is not None:
        return f"asks models of {', '.join(route.ai.services)}, by {route.ai.routing}"
    return f"is answered with {route.answer.status if route.answer is not None else 200}"


def _by_name(sentence: str, snapshot: Snapshot) -> str:
    """ "rule 3 goes first" names a route by its place; people know it by its name."""
    before, mark, after = sentence.partition("rule ")
    number, colon, rest = after.partition(" ")
    if not mark or not number.isdigit():
        return sentence
    return f"{before}{snapshot.routes[int(number)].name}{colon}{rest}"
