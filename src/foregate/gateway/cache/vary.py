"""Which of a URL's answers suits which request (RFC 9110 section 12.5.5, RFC 9111 section 4.1). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b

from foregate.gateway.cache.directives import values_of
from foregate.http1.headers import HeaderList

_KEYED = frozenset({b"host", b"x-forwarded-host", b"x-forwarded-proto"})  # part of every key anyway
# We write these ourselves, anew for each request: nobody would ever be given what varies by them.
_UNIQUE = frozenset({b"x-request-id", b"traceparent", b"tracestate", b"x-forwarded-for", b"forwarded", b"connection"})
_SPACES = re.compile(rb"[ \t]*,[ \t]*")
_PLAIN_BYTES_MAX = 64  # of a variant; a longer one is hashed


def vary_names(headers: HeaderList) -> tuple[bytes, ...] | None:
    """The lower-case names, sorted; None when no two requests are alike."""
    value = values_of(headers, b"vary")
    return () if value is None else _names(value)


@lru_cache(maxsize=512)
def _names(value: bytes) -> tuple[bytes, ...] | None:
    names = {part.strip() for part in value.lower().split(b",")} - {b""}
    if b"*" in names or names & _UNIQUE:
        return None
    return tuple(sorted(names - _KEYED))


def variant(names: tuple[bytes, ...], sent: Mapping[bytes, bytes]) -> bytes:
    """What tells the variants apart; `sent`: the request's fields as the service sees them, each name once.

    White space around commas is nothing. Codings and languages are named in any case, and the order of codings says
    nothing either.
    """
    if not names:
        return b""
    text = b"\0".join([_normal(name, sent.get(name)) for name in names])
    return text if len(text) <= _PLAIN_BYTES_MAX else blake2b(text, digest_size=16).digest()


def _normal(name: bytes, value: bytes | None) -> bytes:
    if value is None:
        return b"-"
    value = _SPACES.sub(b",", value.strip())
    if name == b"accept-encoding":
        value = b",".join(sorted(value.lower().replace(b" ", b"").split(b",")))
    elif name == b"accept-language":
        value = value.lower().replace(b" ", b"")
    return b"=" + value
