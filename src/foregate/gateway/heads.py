"""The heads that are forwarded: what is taken over, what is dropped, what is added. Pure."""

from foregate.http1.headers import FRAMING, HOP_BY_HOP, NO_TOKENS, HeaderList, named_by_connection, reason
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
_CONSOLE_COOKIE = CONSOLE_COOKIE.encode() + b"="
_DROPPED_ANSWER = HOP_BY_HOP | FRAMING | {b"x-request-id", b"x-gateway-service", b"x-gateway-response-time"}


def status_line(status: int) -> bytes:
    """`HTTP/1.1 200 OK` with its CRLF."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d %s\r\n" % (status, reason(status))


_STATUS_LINES = {status: b"HTTP/1.1 %d %s\r\n" % (status, reason(status)) for status in range(200, 600)}


class RequestNotes:
    """A client's header fields, sorted once: `kept` are the lines to forward, `noted` those that we read."""

    __slots__ = ("kept", "noted", "parent_flags", "repeatable", "request_id", "span_id", "trace_id")

    def __init__(self, headers: HeaderList, connection_tokens: frozenset[bytes]) -> None:
        self.noted: dict[bytes, bytes] = {}
        self.kept: list[bytes] = []
        self.repeatable = False
        for name, value in headers:
            if name in _NOTED:
                if name == b"x-forwarded-for" and name in self.noted:
                    self.noted[name] += b", " + value
                else:
                    self.noted.setdefault(name, value)
            elif name == b"cookie" and _CONSOLE_COOKIE in value:
                self.kept += _cookie_lines(value)
            elif not connection_tokens or name not in connection_tokens:
                self.kept.append(name + b": " + value + b"\r\n")
                if name == b"idempotency-key":
                    self.repeatable = True
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
        return b"".join([*self.kept, added, host, tail, framing, b"\r\n"])


def _cookie_lines(value: bytes) -> list[bytes]:
    """The Cookie line without our console's session, which is no service's business; no line when nothing is left."""
    others = [pair for part in value.split(b";") if (pair := part.strip()) and not pair.startswith(_CONSOLE_COOKIE)]
    return [b"cookie: " + b"; ".join(others) + b"\r\n"] if others else []


def answer_lines(status: int, headers: HeaderList, request_id: str, service_line: bytes, first_byte_ms: float) -> bytes:
    """Status line and fields of an upstream's answer on its way to the client, without framing."""
    lines = [status_line(status)]
    named = NO_TOKENS
    for name, value in headers:
        if name not in _DROPPED_ANSWER:
            lines.append(name + b": " + value + b"\r\n")
        elif name == b"connection":
            named |= named_by_connection(value)
    if named:
        kept = [field for field in headers if field[0] not in named and field[0] not in _DROPPED_ANSWER]
        lines = [lines[0], *[name + b": " + value + b"\r\n" for name, value in kept]]
    lines.append(service_line)
    lines.append(f"x-gateway-response-time: {first_byte_ms:.2f}\r\nx-request-id: {request_id}\r\n".encode())
    return b"".join(lines)
