"""The head of an answer, from the lines of HTTP/1.1 that the gateway writes to the fields of HTTP/2. Pure."""

from collections.abc import Sequence
from functools import lru_cache

from foregate.http1 import trailers as trailer_fields
from foregate.http1.headers import FRAMING, encode

FieldList = list[tuple[bytes, bytes]]

# RFC 9113 section 8.2.2: they speak of one connection of HTTP/1.1. The length is added from what is really sent.
_DROPPED = FRAMING | {b"proxy-connection", b"upgrade"}
_REMEMBERED = 512  # heads; beyond it the one longest unused is made anew
_REMEMBERED_BYTES_MAX = 2_048  # of one; a larger one is made anew each time


def answer_fields(status: int, pieces: Sequence[bytes], length: int | None) -> FieldList:
    """`pieces` together are lines, each with CRLF; the first one ends with a line, the others anywhere.

    It may begin with a status line, which is passed over. Most answers of a route begin with the same piece, so what
    was made of it is remembered.
    """
    first = pieces[0]
    known = _known(first) if len(first) <= _REMEMBERED_BYTES_MAX else _fields(first)
    fields = [(b":status", b"%d" % status), *known]
    if len(pieces) > 1:
        fields += _fields(b"".join(pieces[1:]))
    if length is not None:
        fields.append((b"content-length", b"%d" % length))
    return fields


def trailers(fields: trailer_fields.Fields) -> FieldList:
    """Trailers as they go out. Raises ValueError where a value would break out of its line further on."""
    encode(fields)
    return [(name.lower(), value.strip(b" \t")) for name, value in fields]


def _fields(piece: bytes) -> FieldList:
    fields = []
    for line in piece.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        name = name.lower()
        if colon and name not in _DROPPED:
            fields.append((name, value.strip(b" \t")))
    return fields


_known = lru_cache(maxsize=_REMEMBERED)(_fields)
