"""What is left of the quotas that all requests of a route share, from what the gateway's workers have counted.

A quota `by` all, route or service runs out for everybody at once, and says something of the API. One by key, plan, org,
address or header runs out for one client, which is that client's business; it says nothing here.
"""

from collections.abc import Iterable

from foregate.adapters.embedded.limits.reader import LimitsReader
from foregate.app.signals.places import Pair, Place, services_of
from foregate.kernel.clock import Clock
from foregate.ports.limits import CalendarWindow, Rule, named, named_of_tokens
from foregate.wire.ai import TokenLimit
from foregate.wire.policies import Quota
from foregate.wire.snapshot import Route, Snapshot

SUBJECTS_MAX = 20_000  # quotas of a configuration that are looked at, some 10 µs each; of one with more none is known

Counted = tuple[Rule, bytes]  # a quota, and whose


class Quotas:
    """Knows which quotas a snapshot has, and asks what is left of them."""

    def __init__(self, reader: LimitsReader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self._of: dict[Pair, list[Counted]] = {}
        self._version: str | None = None

    def read(self, snapshot: Snapshot) -> dict[Pair, float]:
        """(route, service) → the share that is left of its scarcest quota, 0 to 1; of those without one nothing.

        Raises OSError where it cannot be known: a store that machines share, or too many quotas.
        """
        if snapshot.version != self._version:
            self._of, self._version = shared_quotas(snapshot), snapshot.version
        subjects = list(dict.fromkeys(one for counted in self._of.values() for one in counted))
        if not subjects:
            return {}
        if snapshot.limits_url:
            raise OSError("quotas are counted in a store that machines share, which is not asked for them")
        if len(subjects) > SUBJECTS_MAX:
            raise OSError(f"the configuration has {len(subjects)} quotas, {SUBJECTS_MAX} are looked at")
        left = self._reader.left(subjects, self._clock.monotonic(), self._clock.now())
        if left is None:
            return {}
        shares = {one: _share(one[0], units) for one, units in zip(subjects, left, strict=True)}
        return {pair: min(shares[one] for one in counted) for pair, counted in self._of.items()}


def _share(rule: Rule, left: float) -> float:
    assert isinstance(rule, CalendarWindow)  # noqa: S101 - made below
    return min(1.0, max(0.0, left / rule.limit))


def shared_quotas(snapshot: Snapshot) -> dict[Pair, list[Counted]]:
    """Which quotas hold for every request of a route and service: as in the gateway's chains, a name that is set in
    several places is that of the most specific one."""
    services = {service.name: service.policies for service in snapshot.services}
    found: dict[Pair, list[Counted]] = {}
    for route in snapshot.routes:
        for service in services_of(route):
            places: list[Place] = [("", snapshot.policies)]
            if service in services and route.ai is None:
                places.append((f"service:{service}", services[service]))
            places.append((f"route:{route.name}", route.policies))
            asked = "" if route.ai is not None else service  # quotas are met before a model is chosen
            if counted := [*_requests(places, route.name, asked), *_tokens(places, route)]:
                found[route.name, service] = counted
    return found


def _requests(places: Iterable[Place], route: str, service: str) -> Iterable[Counted]:
    set_at: dict[str, tuple[str, Quota]] = {}
    for scope, policies in places:
        set_at |= {quota.name: (scope, quota) for quota in policies.quotas}
    whose = {"all": "", "route": route, "service": service}
    for scope, quota in set_at.values():
        if quota.by in whose:
            rule = CalendarWindow(float(quota.limit), quota.period)
            yield rule, named(scope, quota.name, quota.by, whose[quota.by])


def _tokens(places: Iterable[Place], route: Route) -> Iterable[Counted]:
    if route.ai is None:
        return
    set_at: dict[str, tuple[str, TokenLimit]] = {}
    for scope, policies in places:
        set_at |= {limit.name: (scope, limit) for limit in policies.token_limits}
    whose = {"all": "", "route": route.name}
    for scope, limit in set_at.values():
        if limit.quota is not None and limit.by in whose:
            prefix = named_of_tokens(scope, limit.name, limit.by, limit.kind)
            subject = f"{prefix}{whose[limit.by]}".encode("utf-8", "surrogateescape")
            yield CalendarWindow(float(limit.quota), limit.period or "day"), subject
