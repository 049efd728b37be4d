"""The heads that are forwarded: what is taken over, what is dropped, what is added. Pure."""

from foregate.http1.headers import (
    COMMON_CONNECTION,
    FRAMING,
    HOP_BY_HOP,
    NO_TOKENS,
    HeaderList,
    named_by_connection,
    reason,
)
from foregate.kernel.ids import new_request_ids, parse_traceparent, valid_request_id
from foregate.kernel.secrets import CONSOLE_COOKIE

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
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
    }
)
_SPECIAL = _NOTED | {b"cookie", b"idempotency-key"}
_CONSOLE_COOKIE = CONSOLE_COOKIE.encode() + b"="
_DROPPED_ANSWER = HOP_BY_HOP | FRAMING | {b"x-request-id", b"x-gateway-service", b"x-gateway-response-time"}


def status_line(status: int) -> bytes:
    """`HTTP/1.1 200 OK` with its CRLF."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d %s\r\n" % (status, reason(status))


_STATUS_LINES = {status: b"HTTP/1.1 %d %s\r\n" % (status, reason(status)) for status in range(200, 600)}


class RequestNotes:
    """A client's header fields, sorted once: `kept` are the lines to forward, without CRLF; `noted` what we read."""

    __slots__ = ("kept", "noted", "parent_flags", "repeatable", "request_id", "span_id", "trace_id")

    def __init__(self, headers: HeaderList, connection_tokens: frozenset[bytes]) -> None:
        self.noted: dict[bytes, bytes] = {}
        self.kept: list[bytes] = []
        self.repeatable = False
        for field in headers:
            name = field[0]
            if name in _SPECIAL:
                self._read(name, field[1], connection_tokens)
            elif not connection_tokens or name not in connection_tokens:
                self.kept.append(b": ".join(field))
        self.request_id, self.trace_id, self.span_id = new_request_ids()
        self.parent_flags = "01"
        given = self.noted.get(b"x-request-id")
        if given is not None and valid_request_id(given):
            self.request_id = given.decode()
        parent = self.noted.get(b"traceparent")
        continued = parse_traceparent(parent) if parent is not None else None
        if continued is not None:
            self.trace_id, _, self.parent_flags = continued
        elif b"tracestate" in self.noted:
            del self.noted[b"tracestate"]  # it belongs to the trace that was not continued

    def _read(self, name: bytes, value: bytes, connection_tokens: frozenset[bytes]) -> None:
        """Take a field that means something to us."""
        if name in _NOTED:
            if name == b"x-forwarded-for" and name in self.noted:
                self.noted[name] += b", " + value
            else:
                self.noted.setdefault(name, value)
        elif name == b"cookie" and _CONSOLE_COOKIE in value:
            self.kept += _cookie_lines(value)
        elif name not in connection_tokens:
            self.kept.append(name + b": " + value)
            if name == b"idempotency-key":
                self.repeatable = True

    def forward(self, host: bytes, peer: str, framing: bytes) -> bytes:
        """The lines after Host, with the blank line: the same for every attempt."""
        noted = self.noted
        before = noted.get(b"x-forwarded-for")
        added = (
            f"x-forwarded-for: {before.decode('latin-1') + ', ' if before else ''}{peer}\r\n"
            f"x-forwarded-proto: http\r\nx-request-id: {self.request_id}\r\n"
            f"traceparent: 00-{self.trace_id}-{self.span_id}-{self.parent_flags}\r\nx-forwarded-host: "
        ).encode("latin-1")
        state = noted.get(b"tracestate")
        tail = b"\r\ntracestate: " + state + b"\r\n" if state else b"\r\n"
        return b"\r\n".join([*self.kept, b"".join((added, host, tail, framing, b"\r\n"))])


def _cookie_lines(value: bytes) -> list[bytes]:
    """The Cookie line without our console's session, which is no service's business; no line when nothing is left."""
    others = [pair for part in value.split(b";") if (pair := part.strip()) and not pair.startswith(_CONSOLE_COOKIE)]
    return [b"cookie: " + b"; ".join(others)] if others else []


def answer_lines(status: int, headers: HeaderList, request_id: str, service_line: bytes, first_byte_ms: float) -> bytes:
    """Status line and fields of an upstream's answer on its way to the client, without framing."""
    added = b"%sx-gateway-response-time: %.2f\r\nx-request-id: %s\r\n" % (
        service_line,
        first_byte_ms,
        request_id.encode(),
    )
    lines = []
    named = NO_TOKENS
    for field in headers:
        name = field[0]
        if name not in _DROPPED_ANSWER:
            lines.append(b": ".join(field))
        elif name == b"connection" and field[1] not in COMMON_CONNECTION:
            named |= named_by_connection(field[1])
    if named:
        lines = [b": ".join(field) for field in headers if field[0] not in named and field[0] not in _DROPPED_ANSWER]
    lines.append(added)
    return status_line(status) + b"\r\n".join(lines)
