"""The forms in which people write what we keep otherwise: each read once, refused with a sentence.

A field of `wire` names its form in its annotation (`Meta(extra={"form": …})`); `FORMS` says how it is read.
"""

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from foregate.http1.headers import FRAMING, HOP_BY_HOP
from foregate.wire.policies import Rate

_RATE = re.compile(r"(\d+(?:\.\d+)?)\s*/\s*(\d+(?:\.\d+)?)?\s*(s|m|h|d)")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110 section 5.5: in no field value
# Fields that say where a message ends, or speak of one connection, or that foregate writes itself.
_OURS = HOP_BY_HOP | FRAMING | {b"host", b"x-request-id", b"traceparent", b"x-forwarded-for", b"x-forwarded-proto"}


class FromEnvironment(str):
    """Text that came from the environment: never shown, and the only thing that may be a secret."""

    __slots__ = ()


def rate(value: Any) -> Rate:
    """`100/s`, `600/m`, `5000/h`, `100/10s` → so many per so many seconds. Raises ValueError with a sentence."""
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        found = Rate(float(match[1]), float(match[2] or 1) * _SECONDS[match[3]])
        if found.amount > 0 and 0 < found.per_s <= 31 * 86_400.0 and math.isfinite(found.amount):
            return found
    raise ValueError(f'"{value}" is not a rate like 100/s, 600/m, 5000/h or 100/10s')


def show_rate(value: Rate) -> str:
    """A rate as people write it."""
    for unit, seconds in reversed(_SECONDS.items()):
        if value.per_s == seconds:
            return f"{value.amount:g}/{unit}"
    return f"{value.amount:g}/{value.per_s:g}s"


def network(text: str) -> str:
    """A CIDR, or one address. Raises ValueError with a sentence."""
    try:
        return str(ipaddress.ip_network(text)) if "/" in text else str(ipaddress.ip_address(text))
    except ValueError as error:
        if "host bits" in str(error):
            wanted = ipaddress.ip_network(text, strict=False)
            raise ValueError(f'"{text}" has bits set behind its prefix: do you mean {wanted}?') from None
        raise ValueError(f'"{text}" is not a network like 10.0.0.0/8 or an address like 192.0.2.1') from None


def header_name(text: str) -> str:
    """A name of a header field, in lower case. Raises ValueError with a sentence."""
    if _TOKEN.fullmatch(text) is None:
        raise ValueError(f'"{text}" is not a name of a header field')
    return text.lower()


def header_to_set(text: str) -> str:
    """The name of a field that may be written by a policy. Raises ValueError with a sentence."""
    name = header_name(text)
    if name.encode() in _OURS:
        raise ValueError(f'"{text}" is written by foregate itself, or speaks of one connection only')
    return name


def status(value: Any) -> Any:
    """A status that names something: YAML reads `404:` as a number."""
    return str(value) if type(value) is int else value


def header_value(text: str) -> str:
    """What may stand in a header line. Raises ValueError with a sentence (which does not show it: it may be secret)."""
    if _UNSENDABLE.search(text):
        raise ValueError("holds a line break or another control character")
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError("holds characters that cannot stand in a header line") from None
    return text


def once(value: Any) -> Any:
    """A mapping by header names, which are the same in either case. Raises ValueError with a sentence."""
    if isinstance(value, dict):
        seen: set[str] = set()
        for name in map(str, value):
            if name.lower() in seen:
                raise ValueError(f'names the header field "{name}" twice')
            seen.add(name.lower())
    return value


def secret(value: Any) -> Any:
    """Only what came from the environment. Raises ValueError with a sentence."""
    if isinstance(value, str) and not isinstance(value, FromEnvironment):
        raise ValueError("must not stand in the file: write ${env:NAME}")
    return value


def split_url(text: str) -> SplitResult:
    """The parts of an http(s) URL that can really be dialled. Raises ValueError with a sentence."""
    try:
        url = urlsplit(text)
        port = url.port
        host = (url.hostname or "").encode("idna")
    except ValueError as error:  # UnicodeError is one
        raise ValueError(f'"{text}" is not a URL: {error}') from error
    if url.scheme not in ("http", "https") or not host:
        raise ValueError(f'"{text}" is not a URL like http://127.0.0.1:9000')
    if port == 0 or url.fragment or "@" in url.netloc or not text.isascii() or re.search(r"[\s\\]", text):
        raise ValueError(f'"{text}" must be ASCII, without spaces, user, fragment or port 0')
    return url


def url(text: str) -> str:
    """An http(s) URL. Raises ValueError with a sentence."""
    split_url(text)
    return text


# What is asked before the value's type is looked at, and after.
BEFORE: Mapping[str, Callable[[Any], Any]] = {"secret": secret, "status": status}
AFTER: Mapping[str, Callable[[Any], Any]] = {
    "network": network,
    "header_name": header_name,
    "header_to_set": header_to_set,
    "header_value": header_value,
    "url": url,
}
INSTEAD: Mapping[str, Callable[[Any], Any]] = {"rate": rate}
WRITTEN: Mapping[str, str] = {  # for people: schema and reference
    "rate": "a rate: 100/s, 600/m, 5000/h or 100/10s",
    "network": "a network (10.0.0.0/8) or an address",
    "header_name": "a header name",
    "header_value": "a header value",
    "secret": "${env:NAME}",
    "url": "an http(s) URL",
}
