"""What a finished request leaves behind: one event and a few counters."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from foregate.gateway import layout
from foregate.gateway.facts import Facts
from foregate.gateway.layout import BUCKETS, DURATION_BOUNDS_S, DURATION_SUM, EVENTS_SHED, LIMITED, REFUSED
from foregate.kernel.clock import Clock
from foregate.ports.blocks import Block
from foregate.ports.sink import EventSink
from foregate.wire.event import EVENT_PATH_BYTES_MAX, BreakerOutcome, LimitOutcome, RequestEvent

if TYPE_CHECKING:
    from foregate.gateway.failure_log import FailureLog
    from foregate.gateway.request import Request

# What a status adds to the cells of its route; a status has three digits.
_CLASS_OF = tuple(layout.CLASSES + min(max(status // 100, 1), 5) - 1 for status in range(1000))
_LIMIT_CODES = frozenset({"rate_limited", "quota_exceeded", "tokens_limited"})


class Location(NamedTuple):
    """Where a worker serves: what every event of it says."""

    region: str
    cloud: str
    instance: str


NOWHERE = Location("", "", "")


class Recorder:
    """Counts and reports; shared by all requests of a worker. `codes` has a block for every error code."""

    __slots__ = ("_codes", "_failures", "_location", "_put", "_worker", "clock", "environment", "org")

    def __init__(
        self,
        worker: Block,
        codes: Mapping[str, Block],
        sink: EventSink,
        clock: Clock,
        failures: FailureLog,
        org: str,
        environment: str,
        location: Location = NOWHERE,
    ) -> None:
        self._failures = failures
        self._worker = worker.own
        self._codes = {code: block.own for code, block in codes.items()}
        self._put = sink.put
        self.clock = clock
        self.org = org
        self.environment = environment
        self._location = location

    def refused(self, code: str) -> None:
        """Count a message that was refused for its form, before it was a request."""
        self._codes[code][REFUSED] += 1.0

    def release(self, request: Request) -> None:
        """Let every policy take back its own, once; one that fails keeps nobody else from it."""
        releases, request.at_end = request.at_end or (), None
        for release in releases:
            try:
                release(request)
            except Exception as error:  # noqa: BLE001 - whatever a policy does, the others get their due
                self._failures.failed("policy_failed_at_the_end", error, route=request.route.name)

    def finished(
        self, request: Request, status: int, error: str, now_s: float, attempts: int = 0,
        breaker: BreakerOutcome = "none", target: str = "", inflight: int = 0, first_byte_ms: float = -1.0,
    ) -> None:  # fmt: skip
        """Account for one request: its status class, its duration, its event; and let policies take back their own.

        `now_s`: monotonic. Called once per request, before its answer's last byte goes out.
        """
        seconds = now_s - request.started_s
        latency_ms = seconds * 1000.0
        request.status, request.error = status, error
        if request.at_end is not None:
            self.release(request)
        if request.inner is not None:  # asked by a policy of ours: the client's request has its own event
            request.inner.settle(Facts(status, error, attempts, breaker, target, inflight, first_byte_ms, request))
            return
        chain, route, exchange = request.chain, request.route, request.exchange
        parent, location = request.fields.parent, self._location
        limit: LimitOutcome = "none"
        if chain.limited:
            limit = "refused" if error in _LIMIT_CODES else "none" if request.stopped == "refused" else "allowed"
        cells = route.cells
        cells[_CLASS_OF[status]] += 1.0
        cells[BUCKETS + bisect_left(DURATION_BOUNDS_S, seconds)] += 1.0
        cells[DURATION_SUM] += seconds
        if error:
            self._codes[error][REFUSED] += 1.0
            if limit == "refused":
                cells[LIMITED] += 1.0
        event = RequestEvent(
            self.clock.now(),
            self.org,
            chain.service_name,
            route.name,
            request.method.decode(),
            status,
            latency_ms,
            request.upstream_ms,
            exchange.request_bytes,
            exchange.response_bytes,
            request.consumer.id,
            self.environment,
            request.request_id,
            request.trace_id,
            request.span_id,
            attempts,
            limit,
            breaker,
            request.cache,
            error,
            target,
            inflight,
            first_byte_ms if first_byte_ms >= 0.0 else latency_ms,
            chain.passed if not request.stopped and request.outcomes is None else chain.told(request),
            request.client,
            exchange.target.partition(b"?")[0][:EVENT_PATH_BYTES_MAX].decode("latin-1"),
            request.protocol,
            request.ai,
            request.host.decode("latin-1"),
            parent.span_id if parent is not None else "",
            location.region,
            location.cloud,
            location.instance,
            "gateway",
            request.waited_s * 1000.0,
        )
        if not self._put(event):
            self._worker[EVENTS_SHED] += 1.0
