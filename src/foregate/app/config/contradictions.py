"""What each part of a configuration alone allows but the whole does not."""

import re
from collections.abc import Iterator, Mapping, Sequence

from foregate.app.config.addresses import parse_listener
from foregate.app.config.mirroring import bad_mirror, bad_mirrored
from foregate.app.config.models import bad_models
from foregate.app.config.problems import Path, did_you_mean, dotted
from foregate.app.config.schema import Config, Key, Route
from foregate.app.config.unguarded import unguarded
from foregate.gateway.match import problem_with
from foregate.gateway.match.problems import parameters
from foregate.gateway.match.rewrite import problem_with_target
from foregate.kernel.errors import ERRORS
from foregate.wire.ingest import SenderKey
from foregate.wire.match import Rule
from foregate.wire.policies import JOINED, Fallback, Policies

Found = tuple[Path, str]  # where, and the sentence
_PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
_STATUS = re.compile("[45][0-9][0-9]")
_SENDERS = ("telemetry", "ingest_keys")
_OF_REQUEST = ("path", "query", "host")
_BY_CONSUMER = ("key", "org", "plan")
_NEEDS_SETTINGS = ("jwt", "hmac")  # ways to authenticate that cannot work without them


def contradictions(config: Config) -> Iterator[Found]:
    """Everything that does not fit together."""
    yield from _listeners(config)
    for index, route in enumerate(config.routes):
        yield from _route(config, route, ("routes", index))
    yield from _same_rules(config)
    yield from _same_names(config)
    yield from _same_secrets(config)
    yield from _same_targets(config)
    for index, key in enumerate(config.keys):
        if key.plan is not None and key.plan not in config.plans:
            yield ("keys", index, "plan"), f'there is no plan "{key.plan}"{did_you_mean(key.plan, config.plans)}'
    for path, policies in places(config):
        yield from _policies(config, policies, path)
    yield from unguarded(config)
    yield from _shared_bus(config)
    yield from bad_models(config)


def places(config: Config) -> Iterator[tuple[Path, Policies]]:
    """Every place where policies are set, from the general to the specific."""
    yield ("policies",), config.policies
    for name, service in config.services.items():
        yield ("services", name, "policies"), service.policies
    for index, route in enumerate(config.routes):
        yield ("routes", index, "policies"), route.policies
    for name, plan in config.plans.items():
        yield ("plans", name, "policies"), plan.policies
    for index, key in enumerate(config.keys):
        yield ("keys", index, "policies"), key.policies


def _listeners(config: Config) -> Iterator[Found]:
    seen: dict[str, int] = {}
    for index, listener in enumerate(config.listen.gateways):
        if listener.address in seen:
            yield ("listen", "gateway", index, "address"), f"is listen.gateway[{seen[listener.address]}] already"
        seen.setdefault(listener.address, index)
        if listener.proxy_protocol and not listener.address.startswith("unix:") and not config.trusted_proxies:
            sentence = "needs trusted_proxies: nobody could say whom they speak for"
            yield ("listen", "gateway", index, "proxy_protocol"), sentence
    if config.telemetry.ingest_keys:
        taken = {parse_listener(text) for text in (*seen, config.listen.console)}
        for index, text in enumerate(config.listen.ingest):
            if parse_listener(text) in taken:
                yield (
                    ("listen", "ingest", index),
                    f"{text} is listened on already: telemetry needs an address of its own",
                )
            taken.add(parse_listener(text))


def _route(config: Config, route: Route, path: Path) -> Iterator[Found]:
    for index, share in enumerate(route.shares):
        if share.service not in config.services:
            where = share_place(route, path, index)
            yield where, f'there is no service "{share.service}"{did_you_mean(share.service, config.services)}'
    yield from bad_rule(route, path)
    yield from bad_mirrored(config, route, path)
    yield from _bad_websocket(config, route, path)
    if route.canary is not None and route.canary.service == route.service:
        yield (*path, "canary", "service"), "is the route's own service: there is nothing to compare it with"
    if not route.auth:
        for kind in ("rate_limits", "quotas", "token_limits"):
            for index, limit in enumerate(getattr(route.policies, kind)):
                if limit.by in _BY_CONSUMER:
                    sentence = f"counts per {limit.by}, but auth is none: nobody here says who they are"
                    yield (*path, "policies", kind, index), sentence
    if "mtls" in route.auth and not any(listener.client_ca_file for listener in config.listen.gateways):
        yield (*path, "auth"), "mtls: no listener asks clients for certificates (listen.gateway[].client_ca_file)"
    for method in _NEEDS_SETTINGS:
        if method in route.auth and not _is_set(config, route, method):
            sentence = f"is {method}, whose settings are missing: policies.{method} here, on the service, or globally"
            yield (*path, "auth"), sentence


def _bad_websocket(config: Config, route: Route, path: Path) -> Iterator[Found]:
    if route.policies.websocket is None:
        return
    for share in route.shares:
        if (service := config.services.get(share.service)) is not None and service.protocol == "h2":
            sentence = f'the service "{share.service}" is spoken to over HTTP/2 alone, and WebSockets over HTTP/1.1'
            yield (*path, "policies", "websocket"), sentence


def share_place(route: Route, path: Path, index: int) -> Path:
    """Where the file names the service of a route's share."""
    if route.service is None:
        return (*path, "services", index, "service")
    return (*path, "canary", "service") if index else (*path, "service")


def bad_rule(route: Route, path: Path) -> Iterator[Found]:
    """What no request could be compared with."""
    if (problem := problem_with(route.rule)) is not None:
        yield (*path, _blamed(route)), problem
        return
    if route.strip and route.match == "regex":
        yield (*path, "strip"), "has nothing to take off: a regex matches the whole path; write a rewrite"
    known = parameters(route.rule)
    if route.rewrite is not None:
        problem = problem_with_target(route.rewrite.to, known, route.rewrite.regex)
        if problem is not None:
            yield (*path, "rewrite"), problem
    if route.redirect is not None:
        for name in _PLACEHOLDER.findall(route.redirect.to):
            if name not in _OF_REQUEST and name.removeprefix("param.") not in known:
                yield (*path, "redirect", "to"), f"names ${{{name}}}, which this route has not"


def _blamed(route: Route) -> str:
    """Which key of a route with a bad rule is at fault: the first without which nothing is wrong."""
    rule = route.rule
    if problem_with(Rule(rule.path, rule.kind)) is not None:
        return "path"
    for name in ("hosts", "methods", "headers", "queries"):
        if problem_with(Rule(**{name: getattr(rule, name)})) is not None:
            return name
    return "path"


def _is_set(config: Config, route: Route, method: str) -> bool:
    """Whether every service of the route finds settings for this way to authenticate."""
    if getattr(config.policies, method) is not None or getattr(route.policies, method) is not None:
        return True
    services = [config.services[share.service] for share in route.shares if share.service in config.services]
    return bool(services) and all(getattr(service.policies, method) is not None for service in services)


def _same_rules(config: Config) -> Iterator[Found]:
    seen: dict[object, int] = {}
    for index, route in enumerate(config.routes):
        rule = route.rule
        # The same in another order is the same.
        hosts, methods = frozenset(host.lower() for host in rule.hosts), frozenset(rule.methods)
        key = (rule.path, rule.kind, hosts, methods, frozenset(rule.headers), frozenset(rule.queries), rule.priority)
        if key in seen:
            same = "is the path of" if rule == Rule(rule.path) else "asks, with its conditions, for the same as"
            yield ("routes", index, "path"), f"{same} routes[{seen[key]}] already"
        seen.setdefault(key, index)


def _same_names(config: Config) -> Iterator[Found]:
    senders = config.telemetry.ingest_keys
    for part, named in ((("routes",), config.routes), (("keys",), config.keys), (_SENDERS, senders)):
        seen: dict[str, int] = {}
        for index, item in enumerate(named):
            name = item.name  # type: ignore[attr-defined]
            if name is None:
                continue
            if name in seen:
                yield (*part, index, "name"), f"is the name of {dotted((*part, seen[name]))} already"
            seen.setdefault(name, index)


def _same_secrets(config: Config) -> Iterator[Found]:
    """Two keys with one secret: nobody could say whose request it is."""
    parts: tuple[tuple[Path, Sequence[Key | SenderKey]], ...] = (
        (("keys",), config.keys),
        (_SENDERS, config.telemetry.ingest_keys),
    )
    for part, keys in parts:
        seen: dict[str, int] = {}
        for index, key in enumerate(keys):
            stored = key.hash or key.secret or ""
            if stored in seen:
                field = "hash" if key.hash else "secret"
                yield (*part, index, field), f"is the same as that of {dotted((*part, seen[stored]))}"
            seen.setdefault(stored, index)


def _same_targets(config: Config) -> Iterator[Found]:
    for name, service in config.services.items():
        seen: dict[str, int] = {}
        for index, target in enumerate(service.targets):
            url = target if isinstance(target, str) else target.url
            if url in seen:
                yield ("services", name, "targets", index), f"is targets[{seen[url]}] already: give that one a weight"
            seen.setdefault(url, index)


def _policies(config: Config, policies: Policies, path: Path) -> Iterator[Found]:
    lists: Mapping[str, tuple[object, ...]] = {kind: getattr(policies, kind) for kind in JOINED}
    for kind, entries in lists.items():
        seen: dict[str, int] = {}
        for index, entry in enumerate(entries):
            name = entry.name  # type: ignore[attr-defined]
            if name in seen:
                sentence = f'is called "{name}", as {kind}[{seen[name]}] is: each needs a name of its own'
                yield (*path, kind, index), sentence
            seen.setdefault(name, index)
    yield from _fallback(config, policies.fallback, path)
    yield from bad_mirror(config, policies, path)


def _fallback(config: Config, fallback: Fallback | None, path: Path) -> Iterator[Found]:
    if fallback is None:
        return
    if fallback.service is not None and fallback.service not in config.services:
        hint = did_you_mean(fallback.service, config.services)
        yield (*path, "fallback", "service"), f'there is no service "{fallback.service}"{hint}'
    elif fallback.service is not None and path[:2] == ("services", fallback.service):
        yield (*path, "fallback", "service"), "is this service itself"
    for index, code in enumerate(fallback.on):
        if code not in ERRORS and _STATUS.fullmatch(code) is None:
            yield (*path, "fallback", "on", index), f'there is no error "{code}"{did_you_mean(code, ERRORS)}'


def _shared_bus(config: Config) -> Iterator[Found]:
    """Machines that share the partitions each have a part: their stores must be one."""
    kafka = config.telemetry.bus.kafka
    if kafka.group and config.telemetry.store is None:
        sentence = "machines that share the partitions need one store: set telemetry.store, too, or leave out the group"
        yield ("telemetry", "bus", "kafka", "group"), sentence
