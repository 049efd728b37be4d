"""Bodies that are read here: whether there is one, and whether it is plain JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foregate.gateway.policies.policy import Refuse

if TYPE_CHECKING:
    from foregate.gateway.request import Request

_NOT_JSON = Refuse("unsupported_media_type", "The body must be application/json.")
_ENCODED = Refuse("unsupported_media_type", "The body must not be compressed.", b"accept-encoding: identity\r\n")


def carries_body(request: Request) -> bool:
    """Whether a body comes with the request; one of zero bytes is none."""
    head = request.exchange.head
    return head.chunked or bool(head.content_length)


def media_type(value: bytes) -> bytes:
    """A Content-Type without its parameters, in lower case."""
    return value.partition(b";")[0].strip().lower()


def not_plain_json(request: Request) -> Refuse | None:
    """Why a body cannot be read here as JSON; whatever is refused could not be checked, so it must not pass either."""
    found = media_type(request.header(b"content-type") or b"")
    if found != b"application/json" and not (found.startswith(b"application/") and found.endswith(b"+json")):
        return _NOT_JSON
    return encoded(request)


def encoded(request: Request) -> Refuse | None:
    """Why a compressed body cannot be read here."""
    encoding = request.header(b"content-encoding")
    return _ENCODED if encoding is not None and encoding.strip().lower() != b"identity" else None
