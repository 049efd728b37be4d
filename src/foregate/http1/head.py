"""Judging a request's head: what it means, or why it is refused. Pure; llhttp has already held the grammar.

llhttp in its strict default refuses obs-fold, NUL, bare CR or LF, whitespace before a colon, Content-Length beside
Transfer-Encoding and a repeated Content-Length. Here stands what a grammar cannot know (RFC 9112 sections 3.2, 6, 7).
"""

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import Any, NamedTuple

import msgspec

from foregate.http1.headers import NO_TOKENS, HeaderList, named_by_connection, tokens


class Refusal(NamedTuple):
    """Why a message is not served: a code of `foregate.kernel.errors` and a sentence for the client."""

    code: str
    detail: str


class RequestHead(msgspec.Struct):
    """What the fields of a request mean. One object may serve many requests of a connection that have the same fields.

    `content_length` is None without one. `upgrade` is the protocol that the client asks to change to, where it may have
    it; the wish for any other is ignored. `notes` is for who asks, to keep what was made of these fields.
    """

    host: bytes = b""
    content_length: int | None = None
    chunked: bool = False
    connection_tokens: frozenset[bytes] = NO_TOKENS
    expects_continue: bool = False
    notes: Any = None
    upgrade: bytes = b""


_WATCHED = frozenset({b"host", b"connection", b"content-length", b"transfer-encoding", b"expect"})
HOST_BYTES_MAX = 255  # of a Host header: the longest name there can be (RFC 1035 section 2.3.4)
_HOSTS_REMEMBERED = 1_024  # judged hosts; beyond it the one longest unused is judged anew when it comes again
_LABEL = rb"[A-Za-z0-9_-]+"
# A port has no leading zero: a rule for "a:80" must not be slipped past as "a:080".
_HOST = re.compile(rb"(?:%b(?:\.%b)*\.?|\[([0-9A-Fa-f:.]{2,45})\])(?::(?:0|[1-9][0-9]{0,4})?)?" % (_LABEL, _LABEL))
_LENGTH_DIGITS_MAX = 18  # below 2^63, and never a number that takes long to convert


def _bad(detail: str) -> Refusal:
    return Refusal("malformed_request", detail)


def judge(method: bytes, headers: HeaderList, version: str) -> RequestHead | Refusal:
    """The meaning of the fields of a request that the parser accepted, or its refusal."""
    if version != "1.1" and version != "1.0":
        return _bad("Only HTTP/1.1 and HTTP/1.0 are spoken here.")
    if method == b"CONNECT":
        return Refusal("method_not_allowed", "This server opens no tunnels.")
    head = RequestHead()
    hosts = 0
    for name, value in headers:
        if name not in _WATCHED:
            continue
        if name == b"host":
            hosts += 1
            head.host = value
        elif (refusal := _note(head, name, value, version)) is not None:
            return refusal
    if hosts != 1 and (hosts > 1 or version == "1.1"):
        return _bad("A request needs exactly one Host header.")
    if head.host and (len(head.host) > HOST_BYTES_MAX or not _is_host(head.host)):
        return _bad("The Host header is not a host.")
    if head.chunked and head.content_length is not None:
        return _bad("Content-Length and Transfer-Encoding exclude one another.")
    return head


def _note(head: RequestHead, name: bytes, value: bytes, version: str) -> Refusal | None:
    """Take one watched field into `head`."""
    value = value.strip(b" \t")
    if name == b"connection":
        head.connection_tokens |= named_by_connection(value)
    elif name == b"content-length":
        if head.content_length is not None or not value.isdigit() or len(value) > _LENGTH_DIGITS_MAX:
            return _bad("Content-Length must be one decimal number.")
        head.content_length = int(value)
    elif name == b"transfer-encoding":
        if head.chunked or value.lower() != b"chunked" or version == "1.0":
            return _bad("The only transfer coding taken is one chunked, in HTTP/1.1.")
        head.chunked = True
    elif version == "1.1":  # expect
        if tokens(value) != {b"100-continue"}:
            return Refusal("expectation_failed", "")
        head.expects_continue = True
    return None


@lru_cache(maxsize=_HOSTS_REMEMBERED)
def _is_host(host: bytes) -> bool:
    """Whether this names one host: a DNS name, an IPv4 address or a bracketed IPv6 address, perhaps with a port.

    Stricter than RFC 3986, which lets a name hold almost anything: what nobody resolves (empty labels, escapes, two
    ports) is there only to be read differently by us and by an upstream.
    """
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    if match[1] is None:
        return True
    try:
        IPv6Address(match[1].decode())
    except AddressValueError:
        return False
    return True


def origin_form(target: bytes, method: bytes, host: bytes) -> bytes | Refusal:
    """The target as path and query, or `*`; an absolute-form must name the same host as the Host header."""
    if target[:1] == b"/":
        return target if b"#" not in target else _bad("A request target has no fragment.")
    if target == b"*":
        return target if method == b"OPTIONS" else _bad("Only OPTIONS may ask for *.")
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        return _bad("The request target is neither a path nor a URL.")
    authority, slash, path = rest.partition(b"/")
    if not slash:
        authority, question, path = rest.partition(b"?")
        slash = b"/" + question
    if not authority or authority.lower() != host.lower() or b"#" in target or b"?" in authority:
        return _bad("The request target names another host than the Host header.")
    return slash + path
