"""gRPC over HTTP/2: its statuses beside those of HTTP, its time limits, and problems in its own form. Pure.

Sources: gRPC's "gRPC over HTTP2" (Responses, Timeout, Status-Message), its status codes, and "HTTP to gRPC Status Code
Mapping". A status is a decimal number in `grpc-status`: in the trailers, or in the head of an answer that has no body
("Trailers-Only").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from foregate.http1.headers import find

OK, CANCELLED, UNKNOWN, INVALID_ARGUMENT, DEADLINE_EXCEEDED, NOT_FOUND = range(6)
PERMISSION_DENIED, RESOURCE_EXHAUSTED, FAILED_PRECONDITION = 7, 8, 9
OUT_OF_RANGE, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS, UNAUTHENTICATED = range(11, 17)

# Whose fault each is stands in no standard. These say that the service has failed, as a 5xx does, and are judged as the
# status beside them; all others say that it works, and that it did not like the request.
FAILURES: Mapping[int, int] = {
    UNKNOWN: 500,
    DEADLINE_EXCEEDED: 504,
    INTERNAL: 500,
    UNAVAILABLE: 503,
    DATA_LOSS: 500,
}
_OF_HTTP = {
    400: INTERNAL,
    401: UNAUTHENTICATED,
    403: PERMISSION_DENIED,
    404: UNIMPLEMENTED,
    429: RESOURCE_EXHAUSTED,  # the mapping for clients says UNAVAILABLE, which they try again at once
    499: CANCELLED,
    500: INTERNAL,
    502: UNAVAILABLE,
    503: UNAVAILABLE,
    504: DEADLINE_EXCEEDED,  # and this UNAVAILABLE, for it cannot know why; we do: a time limit has passed
}
_OF_CODE = {  # where the status alone would say too little
    "body_too_large": RESOURCE_EXHAUSTED,
    "headers_too_large": RESOURCE_EXHAUSTED,
    "body_invalid": INVALID_ARGUMENT,
    "invalid_parameter": INVALID_ARGUMENT,
    "upstream_malformed": INTERNAL,
}
_UNITS_S = {b"H": 3_600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_TIMEOUT_DIGITS_MAX = 8
_PLAIN = frozenset(range(0x20, 0x7F)) - {0x25}


def status_of(http_status: int, code: str) -> int:
    """The gRPC status of a problem of ours, by its error code and the HTTP status it has elsewhere."""
    found = _OF_CODE.get(code)
    return found if found is not None else _OF_HTTP.get(http_status, UNKNOWN)


def problem_fields(http_status: int, code: str, title: str) -> list[tuple[bytes, bytes]]:
    """What says a problem to a gRPC client: in the head of a Trailers-Only answer (status 200), or as trailers.

    The message begins with the code, which has a page; `title` may be any text.
    """
    message = f"{code}: {title}".encode()
    return [(b"grpc-status", b"%d" % status_of(http_status, code)), (b"grpc-message", encoded(message))]


def encoded(message: bytes) -> bytes:
    """A Status-Message: what is not plain ASCII is percent-encoded."""
    return b"".join([bytes((byte,)) if byte in _PLAIN else b"%%%02X" % byte for byte in message])


def status_in(fields: Sequence[tuple[bytes, bytes]]) -> int | None:
    """The status that these fields hold; None without one, UNKNOWN for what is no status."""
    value = find(fields, b"grpc-status")
    if value is None:
        return None
    return int(value) if value.isdigit() and len(value) <= 3 else UNKNOWN


def timeout_s(value: bytes) -> float | None:
    """Seconds of a `grpc-timeout` (at most 8 digits and a unit); None for what is none: then there is no limit."""
    digits, unit = value[:-1], _UNITS_S.get(value[-1:])
    if unit is None or not digits.isdigit() or len(digits) > _TIMEOUT_DIGITS_MAX:
        return None
    return int(digits) * unit
