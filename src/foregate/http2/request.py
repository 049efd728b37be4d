"""What the fields of a request mean, as `http1.head` says it of HTTP/1.1, or why it is refused. Pure.

libnghttp2 has already held RFC 9113 section 8: names in lower case, no field of a connection, each pseudo-header once
and before the others, all that are needed, values without line breaks, a Content-Length that is true. A request that
breaks these never comes here: its stream is reset. Here stands what is not its business, and what keeps a request that
came over HTTP/2 as plain as one over HTTP/1.1: it may go on to an upstream that speaks nothing else.
"""

from typing import NamedTuple

from foregate.http1.head import Refusal, RequestHead, judge, origin_form
from foregate.http1.headers import HeaderList, oversize
from foregate.http1.tunnel import WEBSOCKET
from foregate.kernel import limits

RawFields = tuple[tuple[bytes, bytes], ...]

_METHOD_BYTES_MAX = 32  # of a name that no standard knows
_TARGET_BYTES = bytes(range(0x21, 0x7F))
_BODIED = frozenset({b"POST", b"PUT", b"PATCH"})  # where no body is a body of no bytes (RFC 9110 section 8.6)
_SCHEMES = frozenset({b"http", b"https"})
_NO_FIELDS: RawFields = ()


class Asked(NamedTuple):
    """A request's head. `headers` begin with Host. An extended CONNECT (RFC 8441) is a GET with `head.upgrade`."""

    method: bytes
    target: bytes
    head: RequestHead
    headers: HeaderList


class Requests:
    """Reads the heads of one connection. A head with the fields of the one before gets the same objects.

    So what was made of them (`RequestHead.notes`) serves again, as on a kept connection of HTTP/1.1.
    """

    __slots__ = ("_authority", "_head", "_headers", "_rest")

    def __init__(self) -> None:
        self._authority = b""
        self._rest = _NO_FIELDS
        self._head: RequestHead | None = None
        self._headers: HeaderList = []

    def read(self, fields: RawFields, bodiless: bool) -> Asked | Refusal:
        """`fields` as they came; `bodiless`: the stream has ended with them."""
        first = 0
        while first < len(fields) and fields[first][0][:1] == b":":
            first += 1
        pseudo, rest = dict(fields[:first]), fields[first:]
        method, target = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
        authority, protocol = pseudo.get(b":authority", b""), pseudo.get(b":protocol", b"")
        if method == b"CONNECT":
            if protocol != WEBSOCKET:
                return Refusal("method_not_allowed", "This server opens no tunnels but WebSocket's.")
            method = b"GET"  # as it would come over HTTP/1.1
        elif protocol:
            return Refusal("malformed_request", "Only CONNECT has a protocol.")
        if (refusal := _line(method, target, pseudo.get(b":scheme", b""))) is not None:
            return refusal
        head, headers = self._head, self._headers
        shared = bodiless and not protocol
        if head is None or not shared or authority != self._authority or rest != self._rest:
            judged = self._judge(method, authority, rest, protocol, shared)
            if isinstance(judged, Refusal):
                return judged
            head, headers = judged
            if not (bodiless or protocol):
                head.chunked = head.content_length is None  # its end is not known beforehand
        asked = origin_form(target, method, head.host)
        if isinstance(asked, Refusal):
            return asked
        if bodiless and method in _BODIED and head.content_length is None:
            head = RequestHead(host=head.host, content_length=0)
        return Asked(method, asked, head, headers)

    def _judge(
        self, method: bytes, authority: bytes, rest: RawFields, protocol: bytes, shared: bool
    ) -> tuple[RequestHead, HeaderList] | Refusal:
        headers = _fields(authority, rest)
        if oversize(headers):
            return Refusal("headers_too_large", "")
        head = judge(method, headers, "1.1")
        if isinstance(head, Refusal):
            return head
        if protocol and head.content_length:  # what follows is the tunnel's: nobody would ever send that content
            return Refusal("malformed_request", "A CONNECT has no content.")
        head.upgrade = protocol or head.upgrade
        if shared and head.content_length is None and not head.expects_continue:
            self._authority, self._rest, self._head, self._headers = authority, rest, head, headers
        return head, headers


def _line(method: bytes, target: bytes, scheme: bytes) -> Refusal | None:
    """What llhttp checks in the first line of HTTP/1.1."""
    if len(target) > limits.REQUEST_LINE_BYTES_MAX:
        return Refusal("uri_too_long", "")
    if len(method) > _METHOD_BYTES_MAX:
        return Refusal("malformed_request", "The method is too long.")
    if scheme.lower() not in _SCHEMES:
        return Refusal("malformed_request", "Only http and https are spoken here.")
    if target[:1] != b"/" and target != b"*":
        return Refusal("malformed_request", "The request target is neither a path nor *.")
    if target.translate(None, _TARGET_BYTES):
        return Refusal("malformed_request", "The request target holds what no URL may hold.")
    return None


def _fields(authority: bytes, rest: RawFields) -> HeaderList:
    """All fields but pseudo-headers, Host first. A Host beside a differing `:authority` stays, and is one too many.

    Crumbs of Cookie become one field again (RFC 9113 section 8.2.3).
    """
    headers: HeaderList = [(b"host", authority)] if authority else []
    crumbs: list[bytes] = []
    for field in rest:
        name = field[0]
        if name == b"cookie":
            crumbs.append(field[1])
        elif name != b"host" or field[1].lower() != authority.lower():
            headers.append(field)
    if crumbs:
        headers.append((b"cookie", b"; ".join(crumbs)))
    return headers
