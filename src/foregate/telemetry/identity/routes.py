"""Routes of services that are not ours, kept few: templates by rule (`templates`), and what is learned of each service.

A position of a path where more than `VALUES_MAX` names were seen holds values: names that came often stay, all others
there are "{value}" from then on. A service with more than `ROUTES_MAX` routes has the rest under "other". What is
learned depends on the order of what came and nothing else, takes bounded memory, and is forgotten with the process:
several processes may merge a position some requests apart.
"""

from threading import Lock

from foregate.telemetry.identity.templates import PLACEHOLDERS, TEMPLATE_CHARS_MAX, template

OTHER = "other"
VALUES_MAX = 64  # names at one position of a service's paths; beyond it they are values
FAMILIAR_SEEN = 32  # requests that make a name stay where others become values
ROUTES_MAX = 500  # of a service; further ones are "other"
SERVICES_MAX = 1_000  # of an organisation whose routes are learned; all requests of further ones are "other"
LEARNED_MAX = 100_000  # routes of all services together; further ones are "other"
LEARNED_OF_ORG_MAX = 25_000  # of these, so that one organisation's many leave room for the others
PATHS_MAX = 65_536  # whose routes are remembered, of all services together; others are found anew each time
_PATHS_OF_SERVICE_MAX = 2_048  # beyond it the service's are forgotten at once


class _Place:
    """A position in the paths of a service: what follows there, and the route that ends there with its requests."""

    __slots__ = ("below", "merged", "route", "seen")

    def __init__(self) -> None:
        self.below: dict[str, _Place] = {}
        self.merged = False
        self.route = OTHER
        self.seen = 0

    def seen_below(self) -> int:
        """Requests of this place and all beneath it."""
        return self.seen + sum(place.seen_below() for place in self.below.values())


class _Held:
    """What all services together hold."""

    __slots__ = ("learning", "paths", "routes")

    def __init__(self, routes: int = 0) -> None:
        self.learning = Lock()  # held by whoever changes anything; what is known is found without it
        self.routes = routes
        self.paths = 0


class ServiceRoutes:
    """Of one service."""

    __slots__ = ("_held", "_known", "_of_org", "_paths", "_root")

    def __init__(self, held: _Held, of_org: _Held) -> None:
        self._held = held
        self._of_org = of_org
        self._root = _Place()
        self._known: set[str] = set()
        self._paths: dict[str, _Place] = {}

    def given(self, route: str) -> str:
        """A route that its sender names: as it is, if there are not too many."""
        if route in self._known:
            return route
        with self._held.learning:
            if not self._room():
                return OTHER
            self._know(route)
        return route

    def of_path(self, path: str) -> str:
        """The route of what was asked for: a path, a request target or an absolute URL."""
        place = self._paths.get(path)
        if place is None:
            whole = template(path)
            with self._held.learning:
                place = self._learned(whole)
                if place is None:
                    return OTHER
                self._remember(path, place)
        place.seen += 1
        return place.route

    def _learned(self, whole: str) -> _Place | None:
        """Where a template leads; None when there is no room for its route, and then nothing is kept of it."""
        place: _Place | None = self._root
        parts: list[str] = []
        for part in whole[1:].split("/"):
            name = self._name(place, parts, part) if place else part
            parts.append(name)
            place = place.below.get(name) if place else None
        route = "/" + "/".join(parts)
        if route not in self._known:
            if not self._room():
                return None
            self._know(route)
        return self._grown(route, parts)

    def _grown(self, route: str, parts: list[str]) -> _Place:
        place = self._root
        for name in parts:
            place = place.below.setdefault(name, _Place())
        place.route = route
        return place

    def _name(self, place: _Place, before: list[str], name: str) -> str:
        """What stands for a name at this place; merges the place when this one is too many."""
        if name in place.below or name in PLACEHOLDERS:
            return name
        if not place.merged:
            if len(place.below) < VALUES_MAX:
                return name
            self._merge(place, "/" + "".join(part + "/" for part in before))
        return "{value}"

    def _merge(self, place: _Place, prefix: str) -> None:
        """From now on there are values at this place; routes through rare names are given up."""
        place.merged = True
        rare = {
            name
            for name, below in place.below.items()
            if name not in PLACEHOLDERS and below.seen_below() < FAMILIAR_SEEN
        }
        for name in rare:
            del place.below[name]
        gone = {
            route
            for route in self._known
            if route.startswith(prefix) and route[len(prefix) :].partition("/")[0] in rare
        }
        self._known -= gone
        self._held.routes -= len(gone)
        self._of_org.routes -= len(gone)
        self._forget()

    def _room(self) -> bool:
        return (
            len(self._known) < ROUTES_MAX
            and self._of_org.routes < LEARNED_OF_ORG_MAX
            and self._held.routes < LEARNED_MAX
        )

    def _know(self, route: str) -> None:
        self._known.add(route)
        self._held.routes += 1
        self._of_org.routes += 1

    def _remember(self, path: str, place: _Place) -> None:
        if len(path) > TEMPLATE_CHARS_MAX or self._held.paths >= PATHS_MAX:
            return
        if len(self._paths) >= _PATHS_OF_SERVICE_MAX:
            self._forget()
        self._paths[path] = place
        self._held.paths += 1

    def _forget(self) -> None:
        self._held.paths -= len(self._paths)
        self._paths.clear()


class Routes:
    """Of all services, each apart: nothing that one sends changes the routes of another, but where all are too many.

    Threads may share it.
    """

    def __init__(self) -> None:
        self._services: dict[str, dict[str, ServiceRoutes]] = {}
        self._held = _Held()
        self._of_orgs: dict[str, _Held] = {}
        self._beyond = ServiceRoutes(_Held(LEARNED_MAX), _Held())  # it has room for none

    def of(self, org: str, service: str) -> ServiceRoutes:
        services = self._services.get(org)
        found = services.get(service) if services is not None else None
        return found or self._new(org, service)

    def _new(self, org: str, service: str) -> ServiceRoutes:
        with self._held.learning:
            services = self._services.setdefault(org, {})
            if service in services:
                return services[service]
            if len(services) >= SERVICES_MAX:
                return self._beyond
            of_org = self._of_orgs.setdefault(org, _Held())
            found = services[service] = ServiceRoutes(self._held, of_org)
        return found
