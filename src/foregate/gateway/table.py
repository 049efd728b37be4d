"""A snapshot compiled for serving: everything the request path looks up, looked up beforehand."""

from foregate.gateway.layout import Layout
from foregate.gateway.match import Prefixes
from foregate.gateway.policies.api_key import KeyRing
from foregate.gateway.upstream import Pool, ServiceState, TargetState
from foregate.http1.deadlines import Deadlines
from foregate.kernel.clock import Clock
from foregate.wire.snapshot import Route, Service, Snapshot


class RouteEntry:
    """One route with its service and the places of its counters. `bucket` + key index is a key's token bucket."""

    __slots__ = ("bucket", "limit", "needs_key", "path", "service", "slots", "strip")

    def __init__(self, route: Route, service: ServiceState, slots: int, bucket: int) -> None:
        self.path = route.path
        self.strip = route.strip
        self.needs_key = route.needs_key
        self.limit = route.rate_limit
        self.service = service
        self.slots = slots
        self.bucket = bucket


class Table:
    """What a worker serves by, until there is another snapshot."""

    __slots__ = ("keys", "layout", "routes", "services", "snapshot")

    def __init__(self, snapshot: Snapshot, pepper: bytes, clock: Clock, deadlines: Deadlines) -> None:
        self.snapshot = snapshot
        self.layout = Layout(snapshot)
        self.keys = KeyRing(snapshot.keys, pepper)
        self.services = {
            service.name: ServiceState(
                service, _targets(service, self.layout.targets[index], clock, deadlines), self.layout.services[index]
            )
            for index, service in enumerate(snapshot.services)
        }
        self.routes = Prefixes(
            (
                route.path,
                RouteEntry(route, self.services[route.service], self.layout.routes[index], self.layout.buckets[index]),
            )
            for index, route in enumerate(snapshot.routes)
        )


def _targets(service: Service, slots: list[int], clock: Clock, deadlines: Deadlines) -> list[TargetState]:
    return [
        TargetState(target, service, Pool(target, service.connect_timeout_s, clock, deadlines), first)
        for target, first in zip(service.targets, slots, strict=True)
    ]
