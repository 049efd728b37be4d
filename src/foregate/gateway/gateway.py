"""A gateway worker: one snapshot, one listening socket, every request's first decisions."""

import asyncio
import random
import socket

from foregate.gateway import layout, metrics
from foregate.gateway.answers import health_body, limit_lines, respond, respond_problem
from foregate.gateway.heads import RequestNotes
from foregate.gateway.match import UNSAFE
from foregate.gateway.policies import api_key, rate_limit
from foregate.gateway.proxy import Log, Means, Proxied
from foregate.gateway.record import Recorder
from foregate.gateway.table import RouteEntry, Table
from foregate.http1.deadlines import Deadlines
from foregate.http1.exchange import Exchange
from foregate.http1.head import RequestHead
from foregate.http1.server import ServerConnection, ServerContext
from foregate.kernel.clock import Clock
from foregate.kernel.errors import ERRORS
from foregate.ports.counters import Counters
from foregate.ports.sink import EventSink
from foregate.wire.event import LimitOutcome, RequestEvent
from foregate.wire.snapshot import Snapshot

_CLIENT_SWEEP_S = 0.25
_UPSTREAM_SWEEP_S = 0.05
_GAUGES_S = 1.0
_HEALTH_PATHS = frozenset({b"/health", b"/health/ready", b"/health/live", b"/healthz"})
_OWN_PATHS = _HEALTH_PATHS | {b"/metrics"}


class Gateway:
    """Serves one snapshot. `pepper` is what the snapshot's keys were hashed with.

    `counters` must have `counter_slots(snapshot)` slots, all workers on the same layout; `sink` gets one event per
    request. `log(what, facts)` hears of what is rare: circuits that open and close.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        clock: Clock,
        sink: EventSink,
        counters: Counters,
        pepper: bytes,
        rng: random.Random,
        log: Log,
    ) -> None:
        self._clock = clock
        self._counters = counters
        self._row = counters.row
        self._upstream_deadlines = Deadlines(clock, tick_s=_UPSTREAM_SWEEP_S)
        self._client_deadlines = Deadlines(clock, tick_s=_CLIENT_SWEEP_S)
        self._table = Table(snapshot, pepper, clock, self._upstream_deadlines)
        self._recorder = Recorder(counters, sink, clock, snapshot.org, snapshot.environment)
        self._means = Means(self._recorder, rng, log)
        self._context = ServerContext(self._handle, clock, self._client_deadlines, refused=self._refused)
        self._server: asyncio.Server | None = None
        self._gauges: asyncio.TimerHandle | None = None
        self._started_s = clock.monotonic()
        if counters.slots < self._table.layout.total:
            raise ValueError(
                f"the counters have {counters.slots} slots, this snapshot needs {self._table.layout.total}"
            )
        self._reset_gauges()

    # --- life ------------------------------------------------------------------------------------------------

    def protocol_factory(self) -> asyncio.Protocol:
        """One client's connection."""
        return ServerConnection(self._context)

    async def serve(self, sock: socket.socket) -> None:
        """Begin to accept on `sock` (bound; not necessarily listening). Returns at once."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self.protocol_factory, sock=sock, backlog=1024)
        self._publish_gauges()

    async def drain(self, timeout_s: float) -> None:
        """Stop accepting, let what is under way end for at most `timeout_s`, then close everything."""
        if self._server is not None:
            self._server.close()
        await self._context.close(timeout_s)
        for service in self._table.services.values():
            for target in service.targets:
                await target.pool.close()
        if self._gauges is not None:
            self._gauges.cancel()
        self._reset_gauges()
        self._client_deadlines.stop()
        self._upstream_deadlines.stop()

    def _publish_gauges(self) -> None:
        """Numbers that rise and fall are written every second, not with every request."""
        self._counters.put(layout.CONNECTIONS, len(self._context.connections))
        for service in self._table.services.values():
            self._counters.put(service.slots + layout.INFLIGHT, service.inflight)
        self._gauges = asyncio.get_running_loop().call_later(_GAUGES_S, self._publish_gauges)

    def _reset_gauges(self) -> None:
        """A worker that begins or ends has nothing under way; its predecessor's cells may say otherwise."""
        self._counters.put(layout.CONNECTIONS, 0.0)
        for service in self._table.services.values():
            self._counters.put(service.slots + layout.INFLIGHT, 0.0)
            for target in service.targets:
                self._counters.put(target.slots + layout.CIRCUIT_OPEN, 0.0)

    def _refused(self, code: str) -> None:
        self._counters.add(layout.REFUSED + layout.REFUSED_CODES.index(code), 1.0)

    # --- a request's first decisions -------------------------------------------------------------------------

    def _handle(self, exchange: Exchange) -> None:
        """Match, check the key, take a token, send on."""
        started_s = self._clock.monotonic()
        head = exchange.head
        path, question, query = head.target.partition(b"?")
        if path in _OWN_PATHS:
            self._answer_own(exchange, path, started_s)
            return
        notes = RequestNotes(exchange.headers, head.connection_tokens)
        route, end = self._table.routes.find(path)
        if route is None:
            code = "malformed_request" if end == UNSAFE else "route_not_found"
            self._refuse(exchange, None, notes, code, started_s)
            return
        key_id, key_index = "", -1
        if route.needs_key:
            verdict = api_key.decide(notes.noted.get(b"x-api-key"), self._table.keys)
            if isinstance(verdict, str):
                self._refuse(exchange, route, notes, verdict, started_s)
                return
            key_id, key_index = verdict
        limited: LimitOutcome = "none"
        if (limit := route.limit) is not None:
            bucket = route.bucket + key_index
            spent = rate_limit.decide(started_s, self._counters.total(bucket), limit)
            self._row[bucket] += spent.used
            if not spent.allowed:
                lines = limit_lines(spent, limit)
                self._refuse(exchange, route, notes, "rate_limited", started_s, key_id, "refused", lines)
                return
            limited = "allowed"
        framing = b""
        if head.chunked or head.content_length is not None:
            body_bytes_max = route.service.settings.body_bytes_max
            exchange.body_bytes_max = body_bytes_max
            if max(head.content_length or 0, exchange.request_bytes) > body_bytes_max:
                exchange.close_after = True
                self._refuse(exchange, route, notes, "body_too_large", started_s, key_id, limited)
                return
            framing = _framing(head)
        if route.strip:
            path = _rooted(path[end:])
        if question:
            path += question + query
        forward = notes.forward(head.host, exchange.peer, framing)
        if head.expects_continue:
            exchange.send_continue()
        Proxied(
            exchange,
            route,
            notes,
            path,
            forward,
            key_id,
            limited,
            started_s,
            self._means,
        ).attempt(started_s)

    def _refuse(
        self,
        exchange: Exchange,
        route: RouteEntry | None,
        notes: RequestNotes,
        code: str,
        started_s: float,
        key_id: str = "",
        limit: LimitOutcome = "none",
        lines: bytes = b"",
    ) -> None:
        """Answer a request that goes nowhere, and leave its event."""
        recorder, clock = self._recorder, self._clock
        if route is not None:
            lines += route.service.header_line
        latency_ms = (clock.monotonic() - started_s) * 1000.0
        lines += b"x-gateway-response-time: %.2f\r\n" % latency_ms
        event = RequestEvent(
            clock.now(),
            recorder.org,
            route.service.name if route is not None else "",
            route.path if route is not None else "",
            exchange.method.decode(),
            ERRORS[code].status,
            latency_ms,
            0.0,
            exchange.request_bytes,
            0,
            key_id,
            recorder.environment,
            notes.request_id,
            notes.trace_id,
            notes.span_id,
            0,
            limit,
            "none",
            "none",
            code,
            "",
            route.service.inflight + 1 if route is not None else 1,
            latency_ms,
        )
        recorder.finished(event, route.slots if route is not None else self._table.layout.routes[-1])
        respond_problem(exchange, code, notes.request_id, lines)

    def _answer_own(self, exchange: Exchange, path: bytes, now_s: float) -> None:
        """Health and metrics: no events, no routes, no keys."""
        notes = RequestNotes(exchange.headers, exchange.head.connection_tokens)
        if exchange.method not in (b"GET", b"HEAD"):
            respond_problem(exchange, "method_not_allowed", notes.request_id, b"allow: GET, HEAD\r\n")
        elif path == b"/metrics":
            body = metrics.render(self._table.snapshot, self._table.layout, self._counters)
            respond(exchange, 200, b"", metrics.CONTENT_TYPE, body)
        elif path == b"/health/ready" and self._context.draining:
            respond_problem(exchange, "draining", notes.request_id)
        else:
            body = health_body("ok", self._table.snapshot.version, self._started_s, now_s)
            respond(exchange, 200, b"", b"application/json", body)


def _framing(head: RequestHead) -> bytes:
    """A body's framing towards the upstream: the one it came with."""
    return b"transfer-encoding: chunked\r\n" if head.chunked else b"content-length: %d\r\n" % (head.content_length or 0)


def _rooted(rest: bytes) -> bytes:
    """What is left of a path after its prefix, as a path: "/s%2Fx" under "/s" must not become a target without "/"."""
    if rest[:1] == b"/":
        return rest
    return b"/" + (rest[3:] if rest[:3].lower() == b"%2f" else rest)
