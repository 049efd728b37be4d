"""What a request may weigh, below what the HTTP engine takes from anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foregate.gateway.policies.bodies import carries_body, media_type
from foregate.gateway.policies.policy import Means, Place, Policy, Refuse
from foregate.http1.headers import HeaderList
from foregate.kernel import limits
from foregate.wire.policies import Bounds

if TYPE_CHECKING:
    from foregate.gateway.request import Request


def header_bytes(headers: HeaderList) -> int:
    """As they travel: name, colon, space, value, line break."""
    return sum([len(name) + len(value) + 4 for name, value in headers])


def takes(content_types: tuple[bytes, ...], found: bytes) -> bool:
    """Whether a media type is one of these, `image/*` among them."""
    return found in content_types or (found.partition(b"/")[0] + b"/*" in content_types and b"/" in found)


class BoundsPolicy(Policy):
    """Refuses before anything is counted or sent. A body of unknown length is measured as it comes."""

    name = "bounds"

    def __init__(self, settings: Bounds, means: Means, place: Place) -> None:
        self._settings = settings
        self._types = tuple(text.lower().encode() for text in settings.content_types)
        wanted = ", ".join(settings.content_types)
        self._wrong_type = Refuse("unsupported_media_type", f"The body must be of the type {wanted}.")
        self._weighs_headers = settings.header_bytes_max < limits.HEADER_BYTES_MAX

    def admit(self, request: Request) -> Refuse | None:
        settings = self._settings
        if len(request.query) - 1 > settings.query_bytes_max:
            return Refuse("uri_too_long", f"The query is larger than {settings.query_bytes_max} bytes.")
        headers = request.headers
        if len(headers) > settings.header_count_max:
            return Refuse("headers_too_large", f"There are more than {settings.header_count_max} header fields.")
        if self._weighs_headers and header_bytes(headers) > settings.header_bytes_max:
            return Refuse("headers_too_large", f"The headers are larger than {settings.header_bytes_max} bytes.")
        return self._body(request) if carries_body(request) else None

    def _body(self, request: Request) -> Refuse | None:
        exchange, bytes_max = request.exchange, self._settings.body_bytes_max
        if max(exchange.head.content_length or 0, exchange.request_bytes) > bytes_max:
            return Refuse("body_too_large", f"The body is larger than {bytes_max} bytes.")
        exchange.body_bytes_max = min(exchange.body_bytes_max, bytes_max)  # from here on the engine holds it to that
        if self._types and not takes(self._types, media_type(request.header(b"content-type") or b"")):
            return self._wrong_type
        return None
