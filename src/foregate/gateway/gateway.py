"""A gateway worker: one table in force, its listening sockets, and every request's first decisions."""

import asyncio
import random
import socket
from collections.abc import Callable, Generator, Mapping
from dataclasses import replace
from typing import Any, cast

from foregate.gateway import layout, metrics
from foregate.gateway.admission import Admission
from foregate.gateway.answers import health_body, respond, respond_problem
from foregate.gateway.blocked import NOTE, Blocked
from foregate.gateway.cache import Kept
from foregate.gateway.canaries import roll_back
from foregate.gateway.chains import NO_STEPS, Chain
from foregate.gateway.exchange import ClientExchange
from foregate.gateway.failure_log import FailureLog
from foregate.gateway.fields import FORWARDED
from foregate.gateway.forwarding import Forwarding, GrpcCall, Proxied
from foregate.gateway.held_bodies import HeldBodies
from foregate.gateway.inner import InnerProxied
from foregate.gateway.lateness import Lateness
from foregate.gateway.listening import Listening
from foregate.gateway.match import UNSAFE, Match, Split
from foregate.gateway.outbound import Outbound
from foregate.gateway.policies import make
from foregate.gateway.policies.forwarded import client_of
from foregate.gateway.policies.gate import Door
from foregate.gateway.policies.policy import Consumer, Log, Means, Place, Policy, Refuse
from foregate.gateway.record import Location, Recorder
from foregate.gateway.request import Request
from foregate.gateway.routes import RouteEntry
from foregate.gateway.streamed import Streamed
from foregate.gateway.table import Table, build
from foregate.gateway.upstream import Services
from foregate.gateway.websockets import Opening, OpenWebSockets, ProxiedWebSocket
from foregate.http1.deadlines import Deadlines
from foregate.kernel import slices
from foregate.kernel.clock import Clock
from foregate.kernel.errors import ERRORS
from foregate.kernel.limits import CLIENT_CONNECTIONS_MAX, HELD_BODY_BYTES_MAX
from foregate.ports.blocks import Blocks
from foregate.ports.cache import CacheStore
from foregate.ports.limits import LimitStore
from foregate.ports.sink import EventSink
from foregate.wire.snapshot import Listener, Snapshot
from foregate.wire.verdicts import Verdicts

Extensions = Mapping[str, Callable[[dict[str, Any]], Policy]]  # by name: a policy made from its settings
PLAIN = Listener()
_UPSTREAM_SWEEP_S = 0.05
_GAUGES_S = 1.0
_GOODBYE_S = 1.0  # of the time to drain, at most half of it: WebSockets are told, and close by themselves
_HEALTH_PATHS = frozenset({b"/health", b"/health/ready", b"/health/live", b"/healthz"})
_OWN_PATHS = _HEALTH_PATHS | {b"/metrics"}


class Gateway:
    """Serves a snapshot, and the next one as soon as it is given to `apply`.

    `pepper` is what the snapshot's keys were hashed with; `limits` and `blocks` are shared with the other workers;
    `sink` gets one event per request. `log(what, facts)` hears of what is rare. `extensions`: policies of others, by
    name, made from their settings. `clients_max`: connections that this process has descriptors for. Not `whole`: some
    of the extensions only refuse, so this worker does not say that it serves by the snapshot. `cache`: where answers
    are kept; without it no route keeps any. `instance`: the machine or pod, for the events.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        clock: Clock,
        sink: EventSink,
        blocks: Blocks,
        limits: LimitStore,
        pepper: bytes,
        rng: random.Random,
        log: Log,
        extensions: Extensions | None = None,
        clients_max: int = CLIENT_CONNECTIONS_MAX,
        whole: bool = True,
        cache: CacheStore | None = None,
        instance: str = "",
    ) -> None:
        self._clock = clock
        self._monotonic = clock.monotonic
        self._blocks = blocks
        self._limits = limits
        self._pepper = pepper
        self._log = log
        self._failures = FailureLog(log)
        self._upstream_deadlines = Deadlines(clock, tick_s=_UPSTREAM_SWEEP_S)
        self._lateness = Lateness()
        self._outbound = Outbound(clock)
        self._services = Services(clock, self._upstream_deadlines, rng, log, door=self._door)
        self._verdicts = Verdicts()
        self._blocked = Blocked(clock.now)
        (kept,) = blocks.claim([(layout.CACHE, layout.CACHE_CELLS)])
        self._kept = Kept(cache, snapshot.cache, clock, rng, kept.own) if cache is not None else None
        self._means = Means(
            clock,
            rng,
            limits,
            self._outbound.get,
            log,
            self._lateness.smoothed_s,
            self._consumer,
            dict(extensions or {}),
            self._named,
            blocked=self._blocked,
            cache=cache,
            not_found=self._kept.paths if self._kept is not None else None,
        )
        codes = sorted(ERRORS)
        worker, *counted = blocks.claim([(layout.WORKER, layout.WORKER_CELLS), *map(layout.code_block, codes)])
        self._worker, self._codes = worker, dict(zip(codes, counted, strict=True))
        location = Location(snapshot.region, snapshot.cloud, instance)
        self._recorder = Recorder(
            worker, self._codes, sink, clock, self._failures, snapshot.org, snapshot.environment, location
        )
        bodies = HeldBodies(HELD_BODY_BYTES_MAX, worker.own)
        self._admission = Admission(self._recorder, self._send_on, self._failures, bodies)
        refused = self._recorder.refused
        self._listening = Listening(self._handle, refused, clock, log, worker.own, clients_max, self._trusts)
        (websockets,) = blocks.claim([(layout.WEBSOCKETS, layout.WEBSOCKET_CELLS)])
        self._websockets = OpenWebSockets(websockets.own)
        self._gauges: asyncio.TimerHandle | None = None
        self._applying = asyncio.Lock()
        self._started_s = clock.monotonic()
        self._take_effect(slices.whole(self._build(snapshot, None, self._means)))
        if not whole:
            self._worker.own[layout.CONFIG_VERSION] = -1.0
        self._reset_gauges()

    # --- life ------------------------------------------------------------------------------------------------

    async def serve(self, sock: socket.socket, listener: Listener = PLAIN) -> None:
        """Begin to accept on `sock` (bound; not necessarily listening), TLS where `listener` has certificates.

        Returns at once. Raises BadCertificate.
        """
        self._listening.open(sock, listener, self._table.snapshot.clients)
        if self._gauges is None:
            self._services.start()
            self._lateness.start()
            self._publish_gauges()

    async def apply(self, snapshot: Snapshot, extensions: Extensions | None = None) -> None:
        """Serve by another snapshot from now on: built beside the present one in slices, put in force at once.

        What is under way ends as it began; certificates are read again. Where it listens stays as it is. Raises what
        is wrong with the snapshot; then the present one stays.
        """
        async with self._applying:
            means = replace(self._means, extensions={**self._means.extensions, **(extensions or {})})
            worker = self._worker.own
            try:
                table = await slices.in_slices(self._build(snapshot, self._table, means))
                self._listening.read_certificates()
            except Exception:
                worker[layout.RELOADS_FAILED] += 1.0
                before = self._table.snapshot
                self._services.apply(before.services, self._table.cells_of, before.policies)
                raise
            self._means = means  # not before: chains of the present table are still made by what it was built with
            self._take_effect(table)
            worker[layout.RELOADS] += 1.0

    def _build(self, snapshot: Snapshot, before: Table | None, means: Means) -> Generator[None, None, Table]:
        return build(
            snapshot,
            means=means,
            services=self._services,
            blocks=self._blocks,
            pepper=self._pepper,
            before=before,
        )

    def _door(self, kind: str, settings: Any, service: str) -> Door:
        return cast("Door", make.policy(kind, settings, self._means, Place("", service)))

    def _take_effect(self, table: Table) -> None:
        self._table = table
        self._find = table.router.find
        self._forwarding = Forwarding(
            self._recorder, self._means.rng, self._log, self._failures, self._clock, table.services
        )
        if self._kept is not None:
            self._kept.apply(table.snapshot.cache)
        self._worker.own[layout.CONFIG_VERSION] = metrics.version_number(table.snapshot.version)
        self.verdicts(self._verdicts)  # the settings say which of them count

    def verdicts(self, verdicts: Verdicts) -> None:
        """Follow these from now on, until there are others."""
        self._verdicts = verdicts
        self._blocked.follow(verdicts.blocks, self._table.snapshot.abuse)
        roll_back(self._table.entries, verdicts.canaries, self._clock.now())

    @property
    def version(self) -> str:
        """Of the snapshot in force."""
        return self._table.snapshot.version

    async def drain(self, timeout_s: float) -> None:
        """Stop accepting, let what is under way end for at most `timeout_s`, then close everything."""
        loop = asyncio.get_running_loop()
        goodbye = loop.call_later(timeout_s - min(_GOODBYE_S, timeout_s / 2.0), self._websockets.go_away)
        await self._listening.close(timeout_s)
        goodbye.cancel()
        self._lateness.stop()
        await self._services.close()
        await self._outbound.close()
        if self._gauges is not None:
            self._gauges.cancel()
        self._reset_gauges()
        self._listening.stop()
        self._upstream_deadlines.stop()

    def _publish_gauges(self) -> None:
        """Numbers that rise and fall are written every second, not with every request."""
        self._worker.own[layout.CONNECTIONS] = self._listening.connections
        self._worker.own[layout.BLOCKS] = self._blocked.in_force()
        if self._kept is not None:
            self._kept.publish()
        for service in self._table.services.values():
            service.publish()
        self._services.tick()
        self._gauges = asyncio.get_running_loop().call_later(_GAUGES_S, self._publish_gauges)

    def _reset_gauges(self) -> None:
        """A worker that begins or ends has nothing under way; its predecessor's cells may say otherwise."""
        for cell in (layout.CONNECTIONS, layout.HELD_BYTES, layout.BLOCKS):
            self._worker.own[cell] = 0.0
        if self._kept is not None:
            self._kept.reset()
        for service in self._table.services.values():
            for cell in (layout.INFLIGHT, layout.SERVICE_OPEN, layout.WAITING, layout.PLACES):
                service.cells[cell] = 0.0
            for target in service.targets:
                for cell in (layout.CIRCUIT_OPEN, layout.UNHEALTHY, layout.EJECTED):
                    target.cells[cell] = 0.0

    def _consumer(self, raw: bytes) -> Consumer | None:
        return self._table.keys.find(raw)

    def _named(self, name: str) -> Consumer | None:
        return self._table.keys.named(name)

    def _trusts(self, peer: str) -> bool:
        return self._table.trust.sees(peer)

    # --- a request's first decisions -------------------------------------------------------------------------

    def _handle(self, exchange: ClientExchange, proto: str = "http") -> None:
        """Find the route, and let the request walk through its policies."""
        head = exchange.head
        path, question, query = exchange.target.partition(b"?")
        request = Request(exchange, path, question + query if question else b"", self._monotonic())
        request.proto = proto
        if request.fields.forwarded:
            self._trust(request)
        if path in _OWN_PATHS:
            self._answer_own(request)
            return
        if self._blocked.addresses and (refusal := self._blocked.of_address(request.client)) is not None:
            self._turn_away(request, refusal)
            return
        found = self._find(request.method, head.host, path, query, request.headers)
        if found is None or found is UNSAFE:
            self._nowhere(request, found is None, query)
        else:
            self._enter(request, found)

    def _turn_away(self, request: Request, refusal: Refuse) -> None:
        """Its address is blocked: whatever it asks for, no policy is asked and no route is looked for."""
        request.route = self._table.unmatched
        request.chain = NO_STEPS
        request.note(NOTE)
        self._admission.refuse(request, refusal)

    def _enter(self, request: Request, found: Match[RouteEntry]) -> None:
        request.route = route = found.value
        request.end, request.params = found.end, found.params
        chain = route.chain if route.split is None else self._share(route.split, request)
        request.chain = chain
        request.priority = chain.priority
        if request.exchange.inbox:
            request.chunks = request.exchange.take_body()
        self._admission.run(request)

    def _share(self, split: Split[Chain], request: Request) -> Chain:
        """Which of a route's services a request is given to: a client always to the same, where that is wanted."""
        if request.route.route.sticky:
            return split.pick(request.noted.get(b"x-api-key") or request.client.encode())
        return split.at(self._means.rng.random())

    def _trust(self, request: Request) -> None:
        """What the fields of proxies before us are worth: only trusted ones say who the client is."""
        noted = request.noted
        trust = self._table.trust
        if trust.sees(request.client):
            request.client, proto = client_of(
                request.client,
                noted.get(b"forwarded"),
                noted.get(b"x-forwarded-for"),
                noted.get(b"x-forwarded-proto"),
                trust,
            )
            request.proto = proto or request.proto
        else:
            request.noted = {name: value for name, value in noted.items() if name not in FORWARDED}

    def _send_on(self, request: Request) -> None:
        """All policies let it pass: towards the upstream."""
        exchange, chain = request.exchange, request.chain
        head = exchange.head
        framing, chunked = b"", False
        if request.body is not None:
            framing = b"content-length: %d\r\n" % len(request.body)
        elif head.chunked or head.content_length is not None:
            body_bytes_max = exchange.body_bytes_max = chain.body_bytes_max
            if max(head.content_length or 0, exchange.request_bytes) > body_bytes_max:
                self._admission.refuse(request, Refuse("body_too_large"))
                return
            chunked = head.chunked
            framing = (
                b"transfer-encoding: chunked\r\n" if chunked else b"content-length: %d\r\n" % (head.content_length or 0)
            )
        route = request.route
        inner = request.inner
        if route.reshapes and (inner is None or not inner.exact):
            reshaped = route.reshape(request)
            if reshaped is None:
                self._admission.refuse(request, Refuse("malformed_request", "The path cannot be rewritten safely."))
                return
            request.path = reshaped
        request.service = chain.service
        if request.websocket is not None:
            self._open_websocket(request, request.websocket)
            return
        if head.upgrade and exchange.version == "2":  # a success would open a tunnel, with nobody at its end
            self._admission.refuse(request, Refuse("method_not_allowed", "This route takes no WebSockets."))
            return
        forward = request.forward(framing)
        if head.expects_continue:
            exchange.send_continue()
        proxied = (GrpcCall if request.protocol == "grpc" else Proxied) if inner is None else InnerProxied
        proxied(request, forward, chunked, self._forwarding).attempt(request.now_s)

    def _open_websocket(self, request: Request, opening: Opening) -> None:
        """Likewise; what becomes of it is known when an upstream answers."""
        if self._websockets.enter(request, opening.settings.connections_max):
            ProxiedWebSocket(request, self._forwarding, opening, self._websockets).attempt(request.now_s)
        else:
            self._admission.refuse(request, Refuse("overloaded"))

    def _nowhere(self, request: Request, unknown: bool, query: bytes) -> None:
        """No route takes it, unless it is a preflight for one that will."""
        if unknown and (method := _preflighted(request)):
            found = self._find(method, request.host, request.path, query, request.headers)
            # A preflight is for the policy that answers it; no other OPTIONS goes where only GET may.
            if isinstance(found, Match) and "cors" in found.value.chain.names:
                self._enter(request, found)
                return
        self._enter(request, Match(self._table.unmatched, 0, -1))

    def _answer_own(self, request: Request) -> None:
        """Health and metrics: no events, no routes, no keys. Metrics name targets: not everybody may see them."""
        exchange, table = request.exchange, self._table
        if request.method not in (b"GET", b"HEAD"):
            respond_problem(exchange, "method_not_allowed", request.request_id, b"allow: GET, HEAD\r\n")
        elif request.path == b"/metrics":
            # Behind a proxy that nobody told us to trust, everybody would seem to come from this machine.
            disguised = request.fields.forwarded and not (request.client and table.trust.sees(exchange.peer))
            if disguised or (request.client and not table.watchers.sees(request.client)):
                respond_problem(exchange, "forbidden", request.request_id)
            else:
                Streamed(exchange, metrics.CONTENT_TYPE, metrics.pieces(table.snapshot, self._blocks))
        elif request.path == b"/health/ready" and self._listening.draining:
            respond_problem(exchange, "draining", request.request_id)
        else:
            body = health_body("ok", table.snapshot.version, self._started_s, self._monotonic())
            respond(exchange, 200, b"", b"application/json", body)


def _preflighted(request: Request) -> bytes:
    """The method that a preflight asks for; b"" when the request is none."""
    return (request.header(b"access-control-request-method") or b"") if request.method == b"OPTIONS" else b""
