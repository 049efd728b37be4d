"""A request as policies see it: what the client said, what has been found out, what is to be sent on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from foregate.gateway.fields import Fields
from foregate.gateway.policies.policy import ANYBODY, Consumer
from foregate.http1.headers import find
from foregate.kernel.ids import new_request_ids

if TYPE_CHECKING:
    from foregate.gateway.chains import Chain
    from foregate.gateway.exchange import ClientExchange
    from foregate.gateway.inner import InnerExchange
    from foregate.gateway.routes import RouteEntry
    from foregate.gateway.upstream import ServiceState
    from foregate.gateway.websockets import Opening
    from foregate.ports.cache import Stored
    from foregate.wire.event import AiUsage, CacheOutcome, Protocol

IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"})


class Request:
    """Times are monotonic seconds. `path` and `query` (with its "?") are what the upstream will be asked for.

    `kept` are the lines to forward, without CRLF; `noted` the fields that we read ourselves. Both may be shared with
    other requests: they are replaced, never changed. `client` is the address that limits and filters mean: the peer,
    or what trusted proxies say. `outcomes` collects what policies want to have
    said in the event beyond "passed".
    """

    __slots__ = (
        "ai",
        "answer_lines",
        "at_end",
        "body",
        "cache",
        "chain",
        "chunks",
        "client",
        "consumer",
        "end",
        "error",
        "exchange",
        "fields",
        "found",
        "headers",
        "host",
        "inner",
        "kept",
        "method",
        "noted",
        "now_s",
        "outcomes",
        "params",
        "parent_flags",
        "path",
        "priority",
        "proto",
        "protocol",
        "query",
        "repeatable",
        "request_id",
        "route",
        "service",
        "span_id",
        "started_s",
        "status",
        "step",
        "stopped",
        "trace_id",
        "upstream_ms",
        "waited_s",
        "websocket",
    )

    chain: Chain
    route: RouteEntry
    found: Stored  # what the cache has for it, once it has

    def __init__(self, exchange: ClientExchange, path: bytes, query: bytes, started_s: float) -> None:
        self.exchange = exchange
        self.method = exchange.method
        self.path = path
        self.query = query
        self.started_s = self.now_s = started_s
        self.client = exchange.peer
        head = exchange.head
        self.host = head.host
        self.proto = "http"
        self.protocol: Protocol = exchange.protocol
        self.inner: InnerExchange | None = None  # asked by a policy of ours, not by a client
        self.cache: CacheOutcome = "none"
        self.ai: AiUsage | None = None
        self.websocket: Opening | None = None  # it opens one, and may: no step answers it but with a refusal
        self.headers = exchange.headers
        self.consumer: Consumer = ANYBODY
        self.params: dict[str, str] | None = None
        self.priority = 50
        self.body: bytes | None = None  # the whole body, once a policy needed it (it may be replaced)
        self.chunks: list[bytes] = []  # what of the body has come and is not sent on yet
        self.answer_lines = b""
        self.at_end: list[Callable[[Request], None]] | None = None
        self.outcomes: list[str] | None = None
        self.step = 0  # of the chain, where it waits or has ended
        self.stopped = ""  # "refused" or "answered" by that step
        self.end = 0  # how much of the path its route's rule covered, in bytes
        self.service: ServiceState | None = None
        self.status = 0
        self.error = ""
        self.upstream_ms = 0.0
        self.waited_s = 0.0  # for a place in a queue of ours, and for new connections
        fields = head.notes
        if fields is None:
            fields = head.notes = Fields(exchange.headers, head.connection_tokens, exchange.underscores)
        self.fields: Fields = fields
        self.noted: Mapping[bytes, bytes] = fields.noted
        self.kept: tuple[bytes, ...] = fields.kept
        self.repeatable = fields.repeatable or exchange.method in IDEMPOTENT
        self.request_id, self.trace_id, self.span_id = new_request_ids()
        self.parent_flags = "01"
        if fields.request_id:
            self.request_id = fields.request_id
        if fields.parent is not None:
            self.trace_id, self.parent_flags, _ = fields.parent

    # --- for policies ----------------------------------------------------------------------------------------

    def header(self, name: bytes) -> bytes | None:
        """The first value that the client sent under this lower-case name."""
        return find(self.headers, name)

    def remove_header(self, name: bytes) -> None:
        """Do not send this field on."""
        start = name + b":"
        self.kept = tuple([line for line in self.kept if not line.startswith(start)])

    def set_header(self, name: bytes, value: bytes) -> None:
        """Send this field on, instead of what the client sent under the (lower-case) name."""
        self.remove_header(name)
        self.kept = (*self.kept, name + b": " + value)

    def ends(self, release: Callable[[Request], None]) -> None:
        """Have `release` called once, when this request is over, however it ends."""
        if self.at_end is None:
            self.at_end = [release]
        else:
            self.at_end.append(release)

    def note(self, outcome: str) -> None:
        """Have this said in the event, e.g. "rate_limits:delayed"."""
        if self.outcomes is None:
            self.outcomes = [outcome]
        else:
            self.outcomes.append(outcome)

    # --- towards the upstream --------------------------------------------------------------------------------

    def forward(self, framing: bytes) -> bytes:
        """The lines after Host, with the blank line: the same for every attempt."""
        fields = self.fields
        if self.kept is fields.lines_of:
            lines = fields.lines
        else:
            lines = self._lines()
            if not fields.forwarded:  # the peer and the protocol are those of the connection, like the fields
                fields.lines, fields.lines_of = lines, self.kept
        ids = (
            f"x-request-id: {self.request_id}\r\ntraceparent: 00-{self.trace_id}-{self.span_id}-{self.parent_flags}\r\n"
        )
        return b"%s%s%s\r\n" % (lines, ids.encode(), framing)

    def _lines(self) -> bytes:
        """The lines to forward that are the same for every request with these fields."""
        if self.inner is not None and self.inner.bare:
            return b"\r\n".join((*self.kept, b""))
        noted = self.noted
        before, state = noted.get(b"x-forwarded-for"), noted.get(b"tracestate")
        lines = [
            *self.kept,
            (before + b", " if before else b"").join((b"x-forwarded-for: ", self.exchange.peer.encode())),
            b"x-forwarded-proto: " + self.proto.encode(),
            b"x-forwarded-host: " + noted.get(b"x-forwarded-host", self.host),
        ]
        if state:
            lines.append(b"tracestate: " + state)
        certificate = self.exchange.client_certificate
        if certificate is not None:
            lines.append(b"x-forwarded-client-cert: " + certificate.forwarded)
        lines.append(b"")
        return b"\r\n".join(lines)
