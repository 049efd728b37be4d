"""What of a request is hashed to choose its target: its key, address, path, or one header, cookie or parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from foregate.gateway.request import Request

SubjectOf = Callable[["Request"], bytes | None]


def subject_of(hash_by: str) -> SubjectOf:
    """The function that reads it, by `Balance.hash_by`. It gives None for a request that does not have it."""
    kind, _, name = hash_by.partition(":")
    if kind == "key":
        return lambda request: request.consumer.id.encode() or None
    if kind == "ip":
        return lambda request: request.client.encode()
    if kind == "path":
        return lambda request: request.path
    if kind == "header":
        wanted = name.lower().encode()
        return lambda request: request.header(wanted)
    if kind == "cookie":
        return lambda request: cookie(request.header(b"cookie"), name.encode())
    return lambda request: parameter(request.query, name.encode())


def cookie(line: bytes | None, name: bytes) -> bytes | None:
    """The value of a cookie in a Cookie line (RFC 6265 §4.2), the first one of that name."""
    for pair in line.split(b";") if line is not None else ():
        found, equals, value = pair.strip().partition(b"=")
        if equals and found == name:
            return value
    return None


def parameter(query: bytes, name: bytes) -> bytes | None:
    """The first value of a parameter in a query (with or without its "?"); both are percent-decoded."""
    for pair in query.removeprefix(b"?").split(b"&"):
        found, equals, value = pair.partition(b"=")
        if equals and (found == name or (b"%" in found and unquote_to_bytes(found) == name)):
            return unquote_to_bytes(value) if b"%" in value else value
    return None
