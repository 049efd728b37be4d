"""Where each number of a snapshot lives in the shared counters: fixed when the snapshot is compiled.

[ fixed | per route, and one for unmatched paths | per service | per target | buckets: (limited route × key + 1) ]
"""

from foregate.wire.snapshot import Snapshot

# Upper bounds in seconds, as OpenTelemetry advises for http.server.request.duration; the last bucket is unbounded.
# A duration's bucket is `bisect_left(DURATION_BOUNDS_S, seconds)`.
DURATION_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
STATUS_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
REFUSED_CODES = (
    "malformed_request",
    "request_timeout",
    "body_too_large",
    "uri_too_long",
    "headers_too_large",
    "expectation_failed",
    "method_not_allowed",
)

EVENTS_SHED = 0
CONNECTIONS = 1
REFUSED = 2  # one per code
_FIXED = REFUSED + len(REFUSED_CODES)

# offsets within a route's slots
CLASSES = 0
BUCKETS = CLASSES + len(STATUS_CLASSES)
DURATION_SUM = BUCKETS + len(DURATION_BOUNDS_S) + 1
LIMITED = DURATION_SUM + 1
_PER_ROUTE = LIMITED + 1

# within a service's
RETRIES = 0
BROKEN = 1
INFLIGHT = 2
_PER_SERVICE = 3

# within a target's
CIRCUIT_OPEN = 0
FAILURES = 1
_PER_TARGET = 2


class Layout:
    """First slots by index within the snapshot. `routes` has one entry more: the last is for unmatched paths."""

    __slots__ = ("buckets", "routes", "services", "targets", "total")

    def __init__(self, snapshot: Snapshot) -> None:
        at = _FIXED
        self.routes = [at + _PER_ROUTE * index for index in range(len(snapshot.routes) + 1)]
        at += _PER_ROUTE * len(self.routes)
        self.services = [at + _PER_SERVICE * index for index in range(len(snapshot.services))]
        at += _PER_SERVICE * len(self.services)
        self.targets: list[list[int]] = []
        for service in snapshot.services:
            self.targets.append([at + _PER_TARGET * index for index in range(len(service.targets))])
            at += _PER_TARGET * len(service.targets)
        self.buckets: list[int] = []  # per route: that of key 0; that of no key stands before it. -1 without a limit
        for route in snapshot.routes:
            self.buckets.append(at + 1 if route.rate_limit is not None else -1)
            at += len(snapshot.keys) + 1 if route.rate_limit is not None else 0
        self.total = at


def counter_slots(snapshot: Snapshot) -> int:
    """How many `ports.counters` slots this snapshot needs."""
    return Layout(snapshot).total
