"""Parts of a stored answer (RFC 9110 section 14). Pure.

One range is served; a request for several gets the whole, as it may (section 14.2): many overlapping ones would make
us send far more than there is.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from foregate.gateway.cache.dates import http_date_s
from foregate.http1.headers import HeaderList, find

_RANGE = re.compile(rb"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.IGNORECASE)


class Part(NamedTuple):
    """Bytes `start:stop` of the body."""

    start: int
    stop: int


NOTHING = Part(0, 0)  # what is asked for is not there: 416


def part_of(asked: bytes, if_range: bytes | None, headers: HeaderList, length: int) -> Part | None:
    """What a Range field asks of an answer of 200 with this head and body length; None: the whole."""
    match = _RANGE.fullmatch(asked)
    if match is None or (if_range is not None and not _still(if_range, headers)):
        return None
    first, last = match[1], match[2]
    if not first:
        if not last:
            return None
        wanted = int(last)
        return Part(max(0, length - wanted), length) if wanted and length else NOTHING
    start = int(first)
    if last and int(last) < start:
        return None  # no valid range: as if it were not there
    if start >= length:
        return NOTHING
    return Part(start, min(int(last) + 1, length) if last else length)


def _still(if_range: bytes, headers: HeaderList) -> bool:
    """Whether the client's earlier part is of this very body: strong comparison, or the very same date."""
    value = if_range.strip()
    if value.startswith((b'"', b"W/")):
        return value == find(headers, b"etag") and not value.startswith(b"W/")
    modified = find(headers, b"last-modified")
    if modified is None or (since_s := http_date_s(value)) is None or http_date_s(modified) != since_s:
        return False
    date = find(headers, b"date")
    date_s = http_date_s(date) if date is not None else None
    return date_s is not None and date_s > since_s  # a date is strong only when it is not of the second it names
