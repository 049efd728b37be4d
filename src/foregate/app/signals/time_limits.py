"""How long the gateway waits for one attempt at a service, by route and service, from its configuration."""

from foregate.app.signals.places import Pair, services_of
from foregate.wire.policies import NO_POLICIES, Timeouts
from foregate.wire.snapshot import Route, Snapshot


class TimeLimits:
    """Looks again only when the configuration has changed."""

    def __init__(self) -> None:
        self._of: dict[Pair, float] = {}
        self._version: str | None = None

    def read(self, snapshot: Snapshot) -> dict[Pair, float]:
        """(route, service) → milliseconds; of routes that ask no service nothing."""
        if snapshot.version != self._version:
            self._of, self._version = time_limits(snapshot), snapshot.version
        return self._of


def time_limits(snapshot: Snapshot) -> dict[Pair, float]:
    """As in the gateway's chains the most specific place that sets timeouts holds. Those of plans and keys are their
    clients' own, and do not count here."""
    services = {service.name: service.policies for service in snapshot.services}
    found: dict[Pair, float] = {}
    for route in snapshot.routes:
        if not route.services and route.ai is None:
            continue
        for service in services_of(route):
            places = (snapshot.policies, services.get(service, NO_POLICIES), route.policies)
            set_at = [policies.timeouts for policies in places if policies.timeouts is not None]
            found[route.name, service] = _attempt_s(route, set_at[-1] if set_at else None) * 1000.0
    return found


def _attempt_s(route: Route, timeouts: Timeouts | None) -> float:
    """The whole of its attempts bounds each of them; an answer of a model has a limit of its own beside."""
    if timeouts is None:
        return Timeouts().attempt_s if route.ai is None else route.ai.answer_timeout_s
    limits = [timeouts.attempt_s]
    if timeouts.total_s is not None:
        limits.append(timeouts.total_s)
    if route.ai is not None:
        limits.append(route.ai.answer_timeout_s)
    return min(limits)
