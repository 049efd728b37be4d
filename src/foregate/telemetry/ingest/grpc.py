"""The unary calls of OTLP over gRPC: one message in, one message out, a status in the trailers. Pure.

Sources: gRPC's "gRPC over HTTP2" (Length-Prefixed-Message, Responses, Status-Message), and OTLP's own specification
(Failures, OTLP/gRPC Throttling): a client may send again after UNAVAILABLE, and after RESOURCE_EXHAUSTED only where
RetryInfo says when.
"""

from base64 import b64encode

from foregate.kernel.errors import ForegateError
from foregate.telemetry.formats.otlp.answers import failed

OK, UNKNOWN, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED = (
    0, 2, 3, 8, 12, 13, 14, 16,
)  # fmt: skip
_OF_CODE = {
    "key_missing": UNAUTHENTICATED,
    "key_invalid": UNAUTHENTICATED,
    "not_found": UNIMPLEMENTED,
    "method_not_allowed": UNIMPLEMENTED,
    "unsupported_media_type": UNIMPLEMENTED,
    "body_invalid": INVALID_ARGUMENT,
    "invalid_parameter": INVALID_ARGUMENT,
    "malformed_request": INVALID_ARGUMENT,
    "body_too_large": RESOURCE_EXHAUSTED,
    "rate_limited": RESOURCE_EXHAUSTED,
    "buffer_full": RESOURCE_EXHAUSTED,
    "bus_unavailable": UNAVAILABLE,
    "storage_full": UNAVAILABLE,
    "draining": UNAVAILABLE,
    "internal": INTERNAL,
}
HEAD_BYTES = 5  # of a message: whether it is compressed, and its length
_PLAIN = frozenset(range(0x20, 0x7F)) - {0x25}


def status_of(code: str) -> int:
    """The gRPC status of an error code of ours."""
    return _OF_CODE.get(code, UNKNOWN)


def message_in(body: bytes) -> tuple[bytes, bool]:
    """The one message of a call, and whether it is compressed. Raises ForegateError("body_invalid")."""
    length = int.from_bytes(body[1:HEAD_BYTES], "big")
    if len(body) < HEAD_BYTES or body[0] > 1 or len(body) != HEAD_BYTES + length:
        raise ForegateError("body_invalid", "The call does not hold exactly one whole gRPC message.")
    return body[HEAD_BYTES:], body[0] == 1


def framed(message: bytes) -> bytes:
    """A message as it travels, uncompressed."""
    return b"\0" + len(message).to_bytes(4, "big") + message


def status_fields(code: str, sentence: str, wait_s: float) -> list[tuple[bytes, bytes]]:
    """What says an error, in the head of an answer of trailers alone; `wait_s` 0: sending again would not help."""
    status = status_of(code)
    message = f"{code}: {sentence}".encode()
    fields = [(b"grpc-status", b"%d" % status), (b"grpc-message", _percent_encoded(message))]
    if wait_s > 0.0:
        details = b64encode(failed(status, message.decode(), json=False, retry_after_s=wait_s)).rstrip(b"=")
        fields.append((b"grpc-status-details-bin", details))
    return fields


def _percent_encoded(message: bytes) -> bytes:
    return b"".join([bytes((byte,)) if byte in _PLAIN else b"%%%02X" % byte for byte in message])
