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

_DROPPED_ANSWER = HOP_BY_HOP | FRAMING | {b"x-request-id", b"x-gateway-service", b"x-gateway-response-time"}


def status_line(status: int) -> bytes:
    """`HTTP/1.1 200 OK` with its CRLF."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d %s\r\n" % (status, reason(status))


_STATUS_LINES = {status: b"HTTP/1.1 %d %s\r\n" % (status, reason(status)) for status in range(200, 600)}


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
