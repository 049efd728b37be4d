"""Texts with `${…}` compiled beforehand, and filled in from a request. What they give holds no control character."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from foregate.gateway.policies.api_key import split_query
from foregate.wire.placeholders import PLACEHOLDER, problem_in

if TYPE_CHECKING:
    from foregate.gateway.request import Request

FILLED_BYTES_MAX = 8_192  # of one value; what is longer is cut
_CONTROLS = bytes(range(0x20)) + b"\x7f"

Filler: TypeAlias = "Callable[[Request], bytes]"


def compiled(text: str) -> bytes | Filler:
    """A constant where there is nothing to fill in. Raises ValueError for placeholders that there are not."""
    if (problem := problem_in([text])) is not None:
        raise ValueError(problem)
    parts: list[bytes | Filler] = []
    at = 0
    for match in PLACEHOLDER.finditer(text):
        if match.start() > at:
            parts.append(text[at : match.start()].encode())
        parts.append(_source(match[1]))
        at = match.end()
    parts.append(text[at:].encode())
    if len(parts) == 1:
        return clean(text.encode())
    return lambda request: clean(b"".join([part if isinstance(part, bytes) else part(request) for part in parts]))


def filled(value: bytes | Filler, request: Request) -> bytes:
    """The text for this request."""
    return value if isinstance(value, bytes) else value(request)


def clean(value: bytes) -> bytes:
    """Without control characters (CR, LF and NUL among them), and not too long."""
    return value.translate(None, _CONTROLS)[:FILLED_BYTES_MAX]


def _source(name: str) -> Filler:
    kind, _, of = name.partition(".")
    if kind == "param":
        return lambda request: (request.params or {}).get(of, "").encode()
    if kind == "header":
        field = of.lower().encode()
        return lambda request: request.header(field) or b""
    if kind == "query":
        parameter = of.encode()
        return lambda request: split_query(request.query, parameter)[0] or b""
    if kind == "key":
        return lambda request: getattr(request.consumer, of).encode()
    if kind == "client":
        return lambda request: request.client.encode()
    return lambda request: request.request_id.encode()
