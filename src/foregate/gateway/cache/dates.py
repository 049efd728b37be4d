"""HTTP-date in its three forms, as caches read it (RFC 9110 section 5.6.7, RFC 9111 section 4.2). Pure."""

from __future__ import annotations

import calendar
import re
from functools import lru_cache

_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: at for at, name in enumerate(_NAMES, 1)}
_DAY = "mon|tue|wed|thu|fri|sat|sun"
_TIME = r"(?P<h>\d\d):(?P<m>\d\d):(?P<s>\d\d)"
_MONTH = "(?P<mon>" + "|".join(_MONTHS) + ")"
# Any case, as a cache is told to take it; but no zone other than GMT, and nothing else that is only nearly a date.
_FORMS = tuple(
    re.compile(form, re.IGNORECASE | re.ASCII)
    for form in (
        rf"(?:{_DAY}), (?P<d>\d\d) {_MONTH} (?P<y>\d{{4}}) {_TIME} GMT",
        rf"(?:mon|tues|wednes|thurs|fri|satur|sun)day, (?P<d>\d\d)-{_MONTH}-(?P<y>\d\d) {_TIME} GMT",
        rf"(?:{_DAY}) {_MONTH} (?P<d>[ \d]\d) {_TIME} (?P<y>\d{{4}})",
    )
)
_CENTURY = 69  # two-digit years from here on are of the 1900s, as POSIX has it: RFC 850 is of 1983


_DATE_BYTES_MAX = 64  # with white space around it; what is longer is no date, and not remembered either


def http_date_s(text: bytes) -> float | None:
    """Unix seconds, or None for what is no date."""
    return _known_s(text) if len(text) <= _DATE_BYTES_MAX else None


@lru_cache(maxsize=1_024)  # the same few dates come again and again: Last-Modified, and every second's Date
def _known_s(text: bytes) -> float | None:
    value = text.decode("latin-1").strip()
    for form in _FORMS:
        match = form.fullmatch(value)
        if match is not None:
            return _seconds(match)
    return None


def _seconds(match: re.Match[str]) -> float | None:
    year, day = int(match["y"]), int(match["d"])
    hour, minute, second = int(match["h"]), int(match["m"]), int(match["s"])
    if len(match["y"]) == 2:
        year += 1900 if year >= _CENTURY else 2000
    month = _MONTHS[match["mon"].lower()]
    if hour > 23 or minute > 59 or second > 60 or year < 1 or not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    return float(calendar.timegm((year, month, day, hour, minute, second)))
