"""Header fields as the engine keeps them: a list of (lower-case name, value), both bytes, in the order they came."""

from collections.abc import Sequence
from http import HTTPStatus

from foregate.kernel import limits

HeaderList = list[tuple[bytes, bytes]]

# RFC 9110 section 7.6.1 and the older ones that still travel: they speak of one connection, so no proxy forwards them.
HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# The engine writes these itself, from the framing it has really chosen.
FRAMING = frozenset({b"content-length", b"transfer-encoding", b"connection", b"keep-alive"})

_ANSWER_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
NO_TOKENS: frozenset[bytes] = frozenset()
# What nearly every client sends; both names are hop-by-hop anyway.
COMMON_CONNECTION = {b"keep-alive": NO_TOKENS, b"close": NO_TOKENS, b"Keep-Alive": NO_TOKENS, b"Close": NO_TOKENS}


_REASONS = {int(status): status.phrase.encode() for status in HTTPStatus}


def reason(status: int) -> bytes:
    """The reason phrase of a status line."""
    return _REASONS.get(status, b"Unknown")


def tokens(value: bytes) -> frozenset[bytes]:
    """The lower-case elements of a comma-separated list field."""
    return frozenset(token for part in value.lower().split(b",") if (token := part.strip()))


def named_by_connection(value: bytes) -> frozenset[bytes]:
    """The names that a Connection field declares hop-by-hop, beyond those that always are."""
    common = COMMON_CONNECTION.get(value)
    return common if common is not None else tokens(value) - HOP_BY_HOP - {b"close"}


def oversize(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether there are more or larger fields than one message may have."""
    if len(headers) > limits.HEADER_COUNT_MAX:
        return True
    return sum([len(name) + len(value) + 4 for name, value in headers]) > limits.HEADER_BYTES_MAX


def find(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> bytes | None:
    """The first value under this lower-case name."""
    for key, value in headers:
        if key == name:
            return value
    return None


def encode(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Field lines, each with its CRLF. Raises ValueError where a value would break out of its line."""
    lines = b"".join([name + b": " + value + b"\r\n" for name, value in headers])
    if b"\0" in lines or lines.count(b"\n") != len(headers) or lines.count(b"\r") != len(headers):
        raise ValueError("a header name or value holds a line break or NUL")
    return lines


def answer_framing(headers: HeaderList) -> tuple[int | None, bool]:
    """An answer's Content-Length (None without) and whether it is chunked. Raises ValueError for any other coding."""
    length, chunked = None, False
    for name, value in headers:
        if name in _ANSWER_FRAMING:
            if name == b"content-length":
                length = int(value)
            elif chunked or value.strip().lower() != b"chunked":
                raise ValueError("not chunked alone")
            else:
                chunked = True
    return length, chunked
