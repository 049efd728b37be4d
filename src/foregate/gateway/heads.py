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
from foregate.kernel.secrets import CONSOLE_COOKIE

_DROPPED_ANSWER = HOP_BY_HOP | FRAMING | {b"x-request-id", b"x-gateway-service", b"x-gateway-response-time"}
_WATCHED_ANSWER = _DROPPED_ANSWER | {b"set-cookie"}
_CONSOLE_COOKIE = CONSOLE_COOKIE.encode()


def status_line(status: int) -> bytes:
    """`HTTP/1.1 200 OK` with its CRLF."""
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d %s\r\n" % (status, reason(status))


_STATUS_LINES = {status: b"HTTP/1.1 %d %s\r\n" % (status, reason(status)) for status in range(200, 600)}


def answer_fields(status: int, headers: HeaderList) -> bytes:
    """Status line and fields of an upstream's answer on its way to the client, each with CRLF, without framing.

    What belongs to the hop or to us is dropped, and a cookie by which a service could take over the console's session.
    """
    lines = [b""]
    named = NO_TOKENS
    for field in headers:
        name = field[0]
        if name not in _WATCHED_ANSWER:
            lines.append(b": ".join(field))
        elif name == b"connection" and field[1] not in COMMON_CONNECTION:
            named |= named_by_connection(field[1])
        elif name == b"set-cookie" and not _sets_session(field[1]):
            lines.append(b": ".join(field))
    if named:
        lines = [line for line in lines if line.partition(b":")[0] not in named]
    lines.append(b"")
    return status_line(status)[:-2] + b"\r\n".join(lines)


def _sets_session(value: bytes) -> bool:
    """Whether a browser would send this cookie as the console's: blanks around the name do not count, and one without
    a name (`=foregate_session=…`) is sent as its bare value."""
    return value.lstrip(b" \t=").partition(b"=")[0].rstrip() == _CONSOLE_COOKIE
