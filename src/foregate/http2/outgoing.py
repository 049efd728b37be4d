"""A request as it is written for HTTP/1.1, in the form in which HTTP/2 sends it. Pure (RFC 9113 section 8.3.1).

Inside the gateway heads are lines of HTTP/1.1, whatever is spoken. Here they become fields, and a body that was framed
for HTTP/1.1 (`http1.trailers.frame`) becomes its pieces again.
"""

from __future__ import annotations

from ngh2 import Header, NeverIndexedHeader

from foregate.http1.trailers import NONE, Fields

# RFC 9113 section 8.2.2: they speak of a connection of HTTP/1.1. `te: trailers` alone may stay.
_DROPPED = frozenset(
    {b"connection", b"host", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade"}
)
# One connection carries requests of many clients: what one of them must not find out by trying must not enter the
# table of fields that they share (RFC 7541 section 7.1).
_SECRET = frozenset({b"authorization", b"cookie", b"x-api-key"})
_TE = (b"te", b"trailers")


def fields_of(head: bytes, scheme: bytes) -> list[Header]:
    """The fields of a request, pseudo-fields first. `head`: request line and field lines, without the blank line."""
    line, *lines = head.split(b"\r\n")
    method, _, rest = line.partition(b" ")
    authority = b""
    fields: list[Header] = []
    for each in lines:
        name, _, value = each.partition(b":")
        name = name.lower()
        value = value.strip(b" \t")
        if name in _SECRET:
            fields.append(NeverIndexedHeader(name, value))
        elif name not in _DROPPED:
            fields.append((name, value))
        elif name == b"host":
            authority = value
        elif name == b"te" and value == b"trailers":
            fields.append(_TE)
    target = rest.rpartition(b" ")[0]
    start: list[Header] = [(b":method", method), (b":scheme", scheme), (b":path", target)]
    if authority:  # an HTTP/1.0 client may name none, and an empty one is malformed
        start.insert(2, (b":authority", authority))
    return [*start, *fields]


def unframed(body: bytes) -> tuple[list[bytes], Fields]:
    """What `http1.trailers.frame` made, taken apart: the pieces, and the trailers once it is complete."""
    chunks: list[bytes] = []
    at = 0
    while at < len(body):
        stop = body.index(b"\r\n", at)
        size = int(body[at:stop], 16)
        at = stop + 2
        if not size:
            return chunks, _fields(body[at:-4]) if body[at:] != b"\r\n" else NONE
        chunks.append(body[at : at + size])
        at += size + 2
    return chunks, NONE


def _fields(lines: bytes) -> Fields:
    fields = []
    for line in lines.split(b"\r\n"):
        name, _, value = line.partition(b": ")
        fields.append((name, value))
    return fields
