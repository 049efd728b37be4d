"""Whether an answer may be stored (RFC 9111 section 3). Pure: the reason against it, in a word, or "" for none."""

from __future__ import annotations

from http import HTTPStatus

from foregate.gateway.cache.directives import Directives
from foregate.http1.headers import HeaderList

_UNDERSTOOD = frozenset(int(status) for status in HTTPStatus if status >= 200) - {206, 304}


def why_not(
    status: int,
    headers: HeaderList,
    said: Directives,
    *,
    authorized: bool,
    store_cookies: bool,
    varies: bool,
) -> str:
    """`authorized`: the request told the service who asks (section 3.5). `varies`: by everything (Vary: *)."""
    if status < 200 or status in (206, 304):
        return "status"
    if said.has(b"must-understand"):
        if status not in _UNDERSTOOD:
            return "must_understand"
    elif said.has(b"no-store"):
        return "no_store"
    if said.whole(b"private"):
        return "private"
    if varies:
        return "vary"
    if authorized and not any(said.has(name) for name in (b"public", b"must-revalidate", b"s-maxage")):
        return "authorization"
    if not store_cookies and _sets_cookie(headers, said):
        return "set_cookie"
    return ""


def unwanted_fields(said: Directives) -> frozenset[bytes]:
    """Fields that the answer wants not to be given again (sections 5.2.2.4 and 5.2.2.7): stored without them."""
    return said.fields(b"no-cache") | said.fields(b"private")


def _sets_cookie(headers: HeaderList, said: Directives) -> bool:
    """A cookie is for one person: whoever else got it would be that person."""
    return any(name == b"set-cookie" for name, _ in headers) and b"set-cookie" not in unwanted_fields(said)
