"""Conditional requests: the client's, answered from here, and our own (RFC 9110 section 13, RFC 9111 section 4.3)."""

from __future__ import annotations

from foregate.gateway.cache.dates import http_date_s
from foregate.http1.headers import HOP_BY_HOP, HeaderList, find, named_by_connection

# They speak of the body that we have, not of the one that was not sent again (RFC 9111 section 3.2).
_OF_THE_BODY = frozenset(
    {b"content-length", b"content-encoding", b"content-md5", b"content-range", b"etag", b"transfer-encoding"}
)
_NOT_KEPT = HOP_BY_HOP | {b"content-length", b"proxy-authentication-info", b"age"}
_CONDITIONED = frozenset({200, 203})  # a condition is about an answer that would otherwise succeed with a body
# What a 304 says (RFC 9110 section 15.4.5): metadata of the body is left out.
_LEFT_OUT_OF_304 = frozenset(
    {b"content-length", b"content-encoding", b"content-type", b"content-language", b"content-range"}
)


def kept_fields(headers: HeaderList, unwanted: frozenset[bytes] = frozenset()) -> HeaderList:
    """What of an answer's head is stored: nothing that speaks of the hop, and no Age, which is ours to say.

    `unwanted`: what the answer itself does not want to have stored.
    """
    named = [named_by_connection(value) for name, value in headers if name == b"connection"]
    dropped = _NOT_KEPT.union(unwanted, *named)
    return [field for field in headers if field[0] not in dropped]


def conditions(headers: HeaderList) -> tuple[bytes, ...]:
    """The lines by which we ask whether a stored answer with this head still holds; none when it has no validator."""
    lines = []
    if (etag := find(headers, b"etag")) is not None:
        lines.append(b"if-none-match: " + etag)
    if (modified := find(headers, b"last-modified")) is not None:
        lines.append(b"if-modified-since: " + modified)
    return tuple(lines)


def refreshed(stored: HeaderList, news: HeaderList, unwanted: frozenset[bytes] = frozenset()) -> HeaderList:
    """The stored head after a 304 with this one (RFC 9111 section 4.3.4): its fields replace those of the same name."""
    fresh = [field for field in kept_fields(news, unwanted) if field[0] not in _OF_THE_BODY]
    replaced = {name for name, _ in fresh}
    return [field for field in stored if field[0] not in replaced] + fresh


def not_modified(
    if_none_match: bytes | None, if_modified_since: bytes | None, status: int, headers: HeaderList
) -> bool:
    """Whether a client with these conditions has what a stored answer holds."""
    if status not in _CONDITIONED:
        return False
    if if_none_match is not None:  # it takes precedence, also where it does not match
        return _matches(if_none_match, find(headers, b"etag"))
    if if_modified_since is None:
        return False
    modified = find(headers, b"last-modified") or find(headers, b"date")
    since_s = http_date_s(if_modified_since)
    modified_s = http_date_s(modified) if modified is not None else None
    return since_s is not None and modified_s is not None and modified_s <= since_s


def _matches(listed: bytes, etag: bytes | None) -> bool:
    """Weak comparison with each of a list, or `*` for whatever there is."""
    if listed.strip() == b"*":
        return True
    if etag is None:
        return False
    opaque = etag[2:] if etag.startswith(b"W/") else etag
    return any(part == opaque for part in _opaque_tags(listed))


def _opaque_tags(listed: bytes) -> list[bytes]:
    """The tags of a list without their W/. A quoted one may hold commas."""
    tags: list[bytes] = []
    at = 0
    while at < len(listed):
        if listed[at] in b" \t,":
            at += 1
            continue
        if listed.startswith(b"W/", at):
            at += 2
        quoted = listed.startswith(b'"', at)
        stop = listed.find(b'"', at + 1) + 1 if quoted else listed.find(b",", at)
        if stop <= 0:
            stop = len(listed)
        tags.append(listed[at:stop].strip())
        at = max(stop, at + 1)
    return tags


def head_of_304(headers: HeaderList) -> HeaderList:
    """What of a stored head a 304 repeats."""
    return [field for field in headers if field[0] not in _LEFT_OUT_OF_304]
