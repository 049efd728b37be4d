"""What a valid configuration may not have been meant to say: nothing is refused for it. Pure."""

from collections.abc import Iterator

from foregate.app.config.addresses import is_loopback, parse_address
from foregate.app.config.contradictions import Found
from foregate.app.config.schema import Config, Route
from foregate.gateway.match import Match, Router
from foregate.gateway.match.template import read_template
from foregate.wire.match import Rule

WARNINGS_MAX = 100  # said; the others are counted
# The last one stands for those that nobody has thought of: some servers answer any method as they answer GET.
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER")
_PAID = "everybody who reaches this route may use the models of {}, at your cost"


def warnings(config: Config) -> Iterator[Found]:
    """Closed routes whose path is open by other methods, providers that are open to all, keys that can be overheard."""
    yield from _plain_text(config)
    for index, route in enumerate(config.routes):
        if route.ai is not None and not route.auth:
            yield ("routes", index, "auth"), _PAID.format(", ".join(route.ai.services))
    open_to_all = [not route.auth and (bool(route.shares) or route.ai is not None) for route in config.routes]
    closed = [index for index, route in enumerate(config.routes) if route.auth and route.methods]
    if not closed or not any(open_to_all):
        return
    router: Router[int] = Router([(route.rule, index) for index, route in enumerate(config.routes)])
    for index in closed:
        route = config.routes[index]
        past = next((other for other in _others(router, route) if open_to_all[other]), None)
        if past is not None and not _said(config.routes[past], route):
            yield ("routes", index, "methods"), _sentence(route, config.routes[past])


def _plain_text(config: Config) -> Iterator[Found]:
    """Where keys for telemetry can be overheard."""
    for index, text in enumerate(config.listen.ingest if config.telemetry.ingest_keys else ()):
        if not text.startswith("unix:") and not is_loopback(parse_address(text)[0]):
            yield (
                ("listen", "ingest", index),
                "keys travel there in plain text: let a gateway route with TLS lead to it",
            )


def _others(router: Router[int], route: Route) -> Iterator[int]:
    """The routes that take this one's path by methods that it does not take. A regex has no path to be tried with."""
    if route.match == "regex":
        return
    taken = {*route.methods, *(("HEAD",) if "GET" in route.methods else ())}
    for host in route.hosts or ("",):
        for method in _METHODS:
            if method not in taken:
                asked = host.replace("*", "any", 1).encode()
                found = router.find(method.encode(), asked, _path(route.rule).encode(), b"", [])
                if isinstance(found, Match):
                    yield found.value


def _path(rule: Rule) -> str:
    """A path that this rule takes."""
    if rule.kind != "template":
        return rule.path
    return "/" + "/".join("-" if part is None else part.decode() for part in read_template(rule.path).parts)


def _said(opened: Route, closed: Route) -> bool:
    """Whether somebody wrote that these methods are open here: another route of the same path names them."""
    return bool(opened.methods) and (opened.path, opened.match) == (closed.path, closed.match)


def _sentence(closed: Route, opened: Route) -> str:
    needs = "a key" if closed.auth == ("api_key",) else " or ".join(closed.auth)
    return (
        f"{', '.join(closed.methods)} {closed.path} needs {needs}, but other methods of {closed.path} go to the open "
        f'route "{opened.name or opened.path}"'
    )
