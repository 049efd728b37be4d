"""A request's header fields, sorted: what is sent on as it came, and what means something to us. Pure.

Clients that keep a connection send the same fields again and again. The engine then hands out the same head object, so
what was sorted once is kept in its `notes` and serves until the fields change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from foregate.http1.headers import FRAMING, HOP_BY_HOP, HeaderList, tokens
from foregate.kernel.ids import parse_traceparent, valid_request_id
from foregate.kernel.secrets import CONSOLE_COOKIE

# Read by us, and dropped or written anew; of each only the first value counts.
_NOTED = (
    HOP_BY_HOP
    | FRAMING
    | {
        b"host",
        b"expect",
        b"x-api-key",
        b"x-request-id",
        b"traceparent",
        b"tracestate",
        b"forwarded",
        b"x-forwarded-client-cert",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-proto",
    }
)
_SPECIAL = _NOTED | {b"cookie", b"idempotency-key"}
# Most of what clients send: known to have no "_", for a set finds a name faster than a byte is searched for in it.
_ORDINARY = frozenset(
    b"accept accept-charset accept-encoding accept-language authorization cache-control content-encoding content-type "
    b"dnt if-match if-modified-since if-none-match if-range if-unmodified-since origin pragma priority range referer "
    b"sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user "
    b"upgrade-insecure-requests user-agent x-requested-with".split()
)
FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host")
# We pass trailers on, so a client that takes them may say so (RFC 9110 section 10.1.4): each hop for itself.
_TE = (b"te: trailers", b"connection: te")
_JOINED = frozenset({b"x-forwarded-for", b"forwarded"})  # lists: a further field continues the first
_CONSOLE_COOKIE = CONSOLE_COOKIE.encode() + b"="


class Parent(NamedTuple):
    """The trace that a request continues, and the span of who asked: W3C ids and flags, in hex."""

    trace_id: str
    flags: str
    span_id: str


class Fields:
    """Shared by all requests with the same head: nobody changes it, except that `lines` is filled in.

    `kept` are the lines to forward, without CRLF; `noted` the fields that we read ourselves. `forwarded`: a proxy
    before us, or somebody who plays one, has left its fields. `repeatable`: the client says so. `request_id` is the
    client's, "" without a valid one. `lines` is `Request.forward`'s: what of its lines does not change
    while `lines_of` is what is kept. `shaped` is for a policy that always makes the same of them: (it, before, after);
    `asked` for the cache: (whose, what they mean to it).

    Without `underscores` a name with "_" is not kept: many upstreams turn names into variables (RFC 3875 section
    4.1.18), and there `x_forwarded_for` overwrites the X-Forwarded-For that we vouch for. nginx drops them likewise.
    """

    __slots__ = (
        "asked",
        "forwarded",
        "kept",
        "lines",
        "lines_of",
        "noted",
        "parent",
        "repeatable",
        "request_id",
        "shaped",
    )

    def __init__(self, headers: HeaderList, connection_tokens: frozenset[bytes], underscores: bool = False) -> None:
        self.forwarded = self.repeatable = False
        self.request_id = ""
        self.parent: Parent | None = None
        self.lines = b""
        self.lines_of: tuple[bytes, ...] | None = None
        self.asked: tuple[object, Any] | None = None
        self.shaped: tuple[object, tuple[bytes, ...], tuple[bytes, ...]] | None = None
        noted: dict[bytes, bytes] = {}
        kept: list[bytes] = []
        for field in headers:
            name = field[0]
            if name in _SPECIAL:
                self._read(name, field[1], connection_tokens, noted, kept)
            elif (name in _ORDINARY or underscores or b"_" not in name) and (
                not connection_tokens or name not in connection_tokens
            ):
                kept.append(b": ".join(field))
        if b"x-request-id" in noted or b"traceparent" in noted or b"tracestate" in noted:
            self._continue(noted)
        self.noted: Mapping[bytes, bytes] = noted
        self.kept = tuple(kept)

    def _read(
        self,
        name: bytes,
        value: bytes,
        connection_tokens: frozenset[bytes],
        noted: dict[bytes, bytes],
        kept: list[bytes],
    ) -> None:
        """Take a field that means something to us."""
        if name in _NOTED:
            if name in FORWARDED:
                self.forwarded = True
            elif name == b"te" and b"trailers" in tokens(value) and _TE[0] not in kept:
                kept += _TE
            if name in _JOINED and name in noted:
                noted[name] += b", " + value
            else:
                noted.setdefault(name, value)
        elif name == b"cookie" and _CONSOLE_COOKIE in value:
            kept += _cookie_lines(value)
        elif name not in connection_tokens:
            kept.append(name + b": " + value)
            if name == b"idempotency-key":
                self.repeatable = True

    def _continue(self, noted: dict[bytes, bytes]) -> None:
        """Take over the client's request id and trace, where they are valid."""
        given = noted.get(b"x-request-id")
        if given is not None and valid_request_id(given):
            self.request_id = given.decode()
        parent = noted.get(b"traceparent")
        continued = parse_traceparent(parent) if parent is not None else None
        if continued is not None:
            self.parent = Parent(continued[0], continued[2], continued[1])
        elif b"tracestate" in noted:
            del noted[b"tracestate"]  # it belongs to the trace that was not continued


def _cookie_lines(value: bytes) -> list[bytes]:
    """The Cookie line without our console's session, which is no service's business; no line when nothing is left."""
    others = [pair for part in value.split(b";") if (pair := part.strip()) and not pair.startswith(_CONSOLE_COOKIE)]
    return [b"cookie: " + b"; ".join(others)] if others else []
