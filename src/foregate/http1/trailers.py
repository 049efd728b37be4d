"""Trailer fields: which may travel, and how they are written (RFC 9110 section 6.5, RFC 9112 section 7.1.2). Pure.

A field that somebody decides by before the body comes must not arrive after it: who merges trailers into the head would
be deceived. So whatever frames, routes, authenticates or describes a message is dropped, and what a gateway itself adds
or takes away. The rest (checksums, signatures, timings, grpc-status) goes on, both ways.
"""

from collections.abc import Sequence

from foregate.http1.headers import FRAMING, HOP_BY_HOP, HeaderList, encode, named_by_connection

Fields = Sequence[tuple[bytes, bytes]]
NONE: Fields = ()

_FORBIDDEN = (
    HOP_BY_HOP
    | FRAMING
    | {
        # routing and control of the request
        b"host", b"forwarded", b"via", b"x-real-ip", b"x-http-method-override", b"cache-control", b"expect",
        b"max-forwards", b"pragma", b"range", b"if-match", b"if-none-match", b"if-modified-since",
        b"if-unmodified-since", b"if-range", b"traceparent", b"tracestate", b"x-request-id", b"idempotency-key",
        # who asks
        b"authorization", b"authentication-info", b"www-authenticate", b"cookie", b"set-cookie", b"x-api-key",
        # control of the answer
        b"age", b"date", b"expires", b"location", b"retry-after", b"vary", b"warning", b"etag", b"last-modified",
        b"allow", b"alt-svc", b"strict-transport-security", b"ratelimit", b"ratelimit-policy",
    }
)  # fmt: skip
_FORBIDDEN_PREFIXES = (b"content-", b"proxy-", b"sec-", b"access-control-", b"x-forwarded-", b"x-gateway-")


def kept(fields: HeaderList, connection_tokens: frozenset[bytes] = frozenset()) -> Fields:
    """Those that may be forwarded: not forbidden, and not named by the head's Connection field."""
    return [
        field
        for field in fields
        if field[0] not in _FORBIDDEN
        and not field[0].startswith(_FORBIDDEN_PREFIXES)
        and field[0] not in connection_tokens
    ]


def kept_after(head: HeaderList, fields: HeaderList) -> Fields:
    """Those that may be forwarded after an answer with this head."""
    named = [named_by_connection(value) for name, value in head if name == b"connection"]
    return kept(fields, frozenset().union(*named))


def last_chunk(trailers: Fields) -> bytes:
    """The end of a chunked body. Raises ValueError where a value would break out of its line."""
    return b"0\r\n" + encode(trailers) + b"\r\n" if trailers else b"0\r\n\r\n"


def frame(chunks: list[bytes], complete: bool, trailers: Fields = NONE) -> bytes:
    """`chunks` in the chunked transfer coding, with its end and the trailers when `complete`."""
    data = b"".join([b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks if chunk])
    return data + last_chunk(trailers) if complete else data
