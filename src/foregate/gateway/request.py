"""A request as policies see it: what the client said, what has been found out, what is to be sent on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from foregate.gateway.policies.policy import ANYBODY, Consumer
from foregate.http1.headers import FRAMING, HOP_BY_HOP, find
from foregate.kernel.ids import new_request_ids, parse_traceparent, valid_request_id
from foregate.kernel.secrets import CONSOLE_COOKIE

if TYPE_CHECKING:
    from foregate.gateway.chains import Chain
    from foregate.gateway.routes import RouteEntry
    from foregate.gateway.upstream import ServiceState
    from foregate.http1.exchange import Exchange

# Read by us, and dropped or written anew; of each only the first value counts.
_NOTED = (
    HOP_BY_HOP
    | FRAMING
    | {
        b"host",
        b"expect",
        b"x-api-key",
        b"x-request-id",
        b"traceparent",
        b"tracestate",
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-real-ip",
    }
)
_SPECIAL = _NOTED | {b"cookie", b"idempotency-key"}
FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")
_JOINED = frozenset({b"x-forwarded-for", b"forwarded"})  # lists: a further field continues the first
_CONSOLE_COOKIE = CONSOLE_COOKIE.encode() + b"="
IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"})


class Request:
    """Times are monotonic seconds. `path` and `query` (with its "?") are what the upstream will be asked for.

    `kept` are the lines to forward, without CRLF; `noted` the fields that we read ourselves. `client` is the address
    that limits and filters mean: the peer, or what trusted proxies say. `outcomes` collects what policies want to have
    said in the event beyond "passed".
    """

    __slots__ = (
        "answer_lines",
        "at_end",
        "body",
        "chain",
        "chunks",
        "client",
        "consumer",
        "end",
        "error",
        "exchange",
        "forwarded",
        "headers",
        "host",
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
    )

    chain: Chain
    route: RouteEntry

    def __init__(self, exchange: Exchange, path: bytes, query: bytes, started_s: float) -> None:
        self.exchange = exchange
        self.method = exchange.method
        self.path = path
        self.query = query
        self.started_s = self.now_s = started_s
        self.client = exchange.peer
        self.host = exchange.head.host
        self.proto = "http"
        self.headers = headers = exchange.headers
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
        # --- the header fields, sorted once
        self.noted: dict[bytes, bytes] = {}
        self.kept: list[bytes] = []
        self.forwarded = False  # a proxy before us, or somebody who plays one, has left its fields
        self.repeatable = exchange.method in IDEMPOTENT
        connection_tokens = exchange.head.connection_tokens
        kept = self.kept
        for field in headers:
            name = field[0]
            if name in _SPECIAL:
                self._read(name, field[1], connection_tokens)
            elif not connection_tokens or name not in connection_tokens:
                kept.append(b": ".join(field))
        self.request_id, self.trace_id, self.span_id = new_request_ids()
        self.parent_flags = "01"
        if self.noted:
            self._continue_trace()

    def _read(self, name: bytes, value: bytes, connection_tokens: frozenset[bytes]) -> None:
        """Take a field that means something to us."""
        if name in _NOTED:
            if name in FORWARDED:
                self.forwarded = True
            if name in _JOINED and name in self.noted:
                self.noted[name] += b", " + value
            else:
                self.noted.setdefault(name, value)
        elif name == b"cookie" and _CONSOLE_COOKIE in value:
            self.kept += _cookie_lines(value)
        elif name not in connection_tokens:
            self.kept.append(name + b": " + value)
            if name == b"idempotency-key":
                self.repeatable = True

    def _continue_trace(self) -> None:
        noted = self.noted
        given = noted.get(b"x-request-id")
        if given is not None and valid_request_id(given):
            self.request_id = given.decode()
        parent = noted.get(b"traceparent")
        continued = parse_traceparent(parent) if parent is not None else None
        if continued is not None:
            self.trace_id, _, self.parent_flags = continued
        elif b"tracestate" in noted:
            del noted[b"tracestate"]  # it belongs to the trace that was not continued

    # --- for policies ----------------------------------------------------------------------------------------

    def header(self, name: bytes) -> bytes | None:
        """The first value that the client sent under this lower-case name."""
        return find(self.headers, name)

    def remove_header(self, name: bytes) -> None:
        """Do not send this field on."""
        start = name + b":"
        self.kept = [line for line in self.kept if not line.startswith(start)]

    def set_header(self, name: bytes, value: bytes) -> None:
        """Send this field on, instead of what the client sent under the (lower-case) name."""
        self.remove_header(name)
        self.kept.append(name + b": " + value)

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
        noted = self.noted
        before = noted.get(b"x-forwarded-for")
        added = (
            f"x-forwarded-for: {before.decode('latin-1') + ', ' if before else ''}{self.exchange.peer}\r\n"
            f"x-forwarded-proto: {self.proto}\r\nx-request-id: {self.request_id}\r\n"
            f"traceparent: 00-{self.trace_id}-{self.span_id}-{self.parent_flags}\r\nx-forwarded-host: "
        ).encode("latin-1")
        state = noted.get(b"tracestate")
        tail = b"\r\ntracestate: " + state + b"\r\n" if state else b"\r\n"
        return b"\r\n".join(
            [*self.kept, b"".join((added, noted.get(b"x-forwarded-host", self.host), tail, framing, b"\r\n"))]
        )


def _cookie_lines(value: bytes) -> list[bytes]:
    """The Cookie line without our console's session, which is no service's business; no line when nothing is left."""
    others = [pair for part in value.split(b";") if (pair := part.strip()) and not pair.startswith(_CONSOLE_COOKIE)]
    return [b"cookie: " + b"; ".join(others)] if others else []
