"""What the upstream gets to see of a request: header fields, query and the members of a JSON body.

Removing comes first, then setting (instead of what is there), then adding (beside it). Values are compiled beforehand,
and whatever a request fills in cannot end its line or its parameter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

import msgspec

from foregate.gateway.policies.bodies import carries_body, not_plain_json
from foregate.gateway.policies.placeholders import Filler, compiled, filled
from foregate.gateway.policies.policy import Means, NeedBody, Place, Policy, Refuse
from foregate.wire.policies import RequestTransform

if TYPE_CHECKING:
    from foregate.gateway.request import Request

_Line = tuple[bytes, "bytes | Filler"]  # "name: " and the value
_NOT_AN_OBJECT = Refuse("body_invalid", "The body must be a JSON object.")
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def without(query: bytes, names: frozenset[bytes]) -> bytes:
    """A query ("" or with its "?") without the parameters of these names, however they are spelled."""
    if not query:
        return query
    kept = [pair for pair in query[1:].split(b"&") if _name(pair) not in names]
    return b"?" + b"&".join(kept) if kept else b""


def _name(pair: bytes) -> bytes:
    name = pair.partition(b"=")[0]
    return unquote_to_bytes(name.replace(b"+", b" ")) if b"%" in name or b"+" in name else name


class RequestTransformPolicy(Policy):
    """Changes `request.kept`, `.query` and `.body`."""

    name = "request_transform"

    def __init__(self, settings: RequestTransform, means: Means, place: Place) -> None:
        dropped = [*settings.set_headers, *settings.remove_headers]
        self._dropped = tuple(name.lower().encode() + b":" for name in dropped)
        self._lines: list[_Line] = [
            (name.lower().encode() + b": ", compiled(value))
            for name, value in [*settings.set_headers.items(), *settings.add_headers.items()]
        ]
        constant = all(isinstance(value, bytes) for _, value in self._lines)
        self._always_same = constant and not settings.set_query and not settings.remove_query
        self._unwanted = frozenset(name.encode() for name in [*settings.set_query, *settings.remove_query])
        self._query: list[_Line] = [
            (quote_from_bytes(name.encode(), safe="").encode() + b"=", compiled(value))
            for name, value in settings.set_query.items()
        ]
        self._bytes_max = settings.body_bytes_max if settings.set_body or settings.remove_body else 0
        self._members: dict[str, msgspec.Raw | bytes | Filler] = {
            name: compiled(value) if isinstance(value, str) else msgspec.Raw(_encode(value))
            for name, value in settings.set_body.items()
        }
        self._removed = frozenset([*settings.set_body, *settings.remove_body])

    def admit(self, request: Request) -> Refuse | NeedBody | None:
        if self._bytes_max and (request.body or (request.body is None and carries_body(request))):
            if (refusal := not_plain_json(request)) is not None:
                return refusal
            if request.body is None:
                return NeedBody(self._bytes_max)
            changed = self._changed(request, request.body)
            if changed is None:
                return _NOT_AN_OBJECT
            request.body = changed
        if self._always_same:
            shaped = request.fields.shaped
            if shaped is None or shaped[0] is not self or shaped[1] is not request.kept:
                shaped = request.fields.shaped = (self, request.kept, self._reshaped(request))
            request.kept = shaped[2]
            return None
        request.kept = self._reshaped(request)  # before the query, of which values may be taken
        if self._unwanted:
            query = [name + quote_from_bytes(filled(value, request), safe="").encode() for name, value in self._query]
            rest = without(request.query, self._unwanted)
            request.query = b"&".join([rest or b"?", *query]).replace(b"?&", b"?", 1) if query else rest
        return None

    def _reshaped(self, request: Request) -> tuple[bytes, ...]:
        """The lines to forward."""
        kept, dropped = request.kept, self._dropped
        if dropped:
            kept = tuple([line for line in kept if not line.startswith(dropped)])
        return kept + tuple([line + filled(value, request) for line, value in self._lines])

    def _changed(self, request: Request, body: bytes) -> bytes | None:
        """The body with its members changed; the others keep their very bytes. None when it is no JSON object."""
        try:
            members: dict[str, Any] = {k: v for k, v in _decode(body).items() if k not in self._removed}
        except (msgspec.MsgspecError, RecursionError):
            return None
        for name, value in self._members.items():
            if isinstance(value, msgspec.Raw):
                members[name] = value
            else:
                members[name] = filled(value, request).decode("utf-8", "replace")
        return _encode(members)
