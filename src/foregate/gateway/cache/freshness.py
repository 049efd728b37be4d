"""How old an answer is and how long it is fresh (RFC 9111 section 4.2, RFC 5861). Pure; all times in seconds."""

from __future__ import annotations

from typing import NamedTuple

from foregate.gateway.cache.dates import http_date_s
from foregate.gateway.cache.directives import Directives, values_of
from foregate.http1.headers import HeaderList, find
from foregate.wire.cache import Cache

# What may be thought fresh although it does not say so (RFC 9110 section 15.1), without 206.
HEURISTIC = frozenset({200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501})
OVERRIDDEN = frozenset({200, 203, 204, 300, 301, 308})  # what `ttl_s` is for: failures have `negative`
HEURISTIC_S_MAX = 86_400.0
DOUBTFUL_AGE_S = float(1 << 31)  # of an Age that is none: older than anything is fresh


class Freshness(NamedTuple):
    """`age_s`: when it came; windows are Unix times. `strict`: no client's wish makes it be given stale."""

    age_s: float
    fresh_until_s: float
    stale_until_s: float
    error_until_s: float
    strict: bool


def initial_age_s(headers: HeaderList, request_s: float, response_s: float) -> float:
    """The age of an answer when it came (section 4.2.3).

    An Age that is no number, or stands twice, makes it as old as can be: it may be ignored, but its sender is a cache
    that we do not understand.
    """
    date = find(headers, b"date")
    date_s = http_date_s(date) if date is not None else None
    apparent_s = max(0.0, response_s - date_s) if date_s is not None else 0.0
    age = values_of(headers, b"age")
    if age is None:
        said_s = 0.0
    else:
        said_s = min(float(age.strip()), DOUBTFUL_AGE_S) if age.strip().isdigit() else DOUBTFUL_AGE_S
    return max(apparent_s, said_s + max(0.0, response_s - request_s))


def lifetime_s(
    status: int, headers: HeaderList, said: Directives, aimed: bool, settings: Cache, response_s: float
) -> float | None:
    """How long it is fresh from its making on; None when nothing says so, and nothing lets us guess.

    `said`, `aimed`: see `directives.effective`.
    """
    if settings.ttl_s is not None and status in OVERRIDDEN:
        return settings.ttl_s
    explicit = _explicit_s(headers, said, aimed, response_s)
    if explicit is not None:
        return explicit * settings.fresh_share
    if (negative := settings.negative.get(str(status))) is not None:
        return negative
    if status not in HEURISTIC and not said.has(b"public"):
        return None
    if settings.default_ttl_s is not None and status in OVERRIDDEN:
        return settings.default_ttl_s
    return _heuristic_s(headers, settings.heuristic_share, response_s)


def _explicit_s(headers: HeaderList, said: Directives, aimed: bool, response_s: float) -> float | None:
    for name in (b"s-maxage", b"max-age"):
        seconds = said.seconds(name)
        if seconds is not None:
            return float(seconds)
    expires = None if aimed else values_of(headers, b"expires")  # two of them are no date, and so in the past
    if expires is None:
        return None
    until_s = http_date_s(expires)
    return max(0.0, until_s - _made_s(headers, response_s)) if until_s is not None else 0.0


def _heuristic_s(headers: HeaderList, share: float, response_s: float) -> float | None:
    """A share of the time in which it has not changed (section 4.2.2)."""
    modified = find(headers, b"last-modified")
    modified_s = http_date_s(modified) if modified is not None and share else None
    if modified_s is None:
        return None
    return min(max(0.0, _made_s(headers, response_s) - modified_s) * share, HEURISTIC_S_MAX)


def _made_s(headers: HeaderList, response_s: float) -> float:
    date = find(headers, b"date")
    found = http_date_s(date) if date is not None else None
    return response_s if found is None else found


def freshness(
    status: int,
    headers: HeaderList,
    said: Directives,
    aimed: bool,
    settings: Cache,
    request_s: float,
    response_s: float,
) -> Freshness:
    """Until when it may be given, and how: fresh, stale while it is asked for anew, stale instead of an error."""
    age_s = initial_age_s(headers, request_s, response_s)
    if said.whole(b"no-cache"):
        return Freshness(age_s, response_s, 0.0, 0.0, True)
    fresh_s = lifetime_s(status, headers, said, aimed, settings, response_s) or 0.0
    ours = settings.ttl_s is not None and status in OVERRIDDEN  # our own time counts from when it came
    until_s = response_s + fresh_s - (0.0 if ours else age_s)
    if said.has(b"must-revalidate") or said.has(b"proxy-revalidate") or status >= 500:
        return Freshness(age_s, until_s, 0.0, 0.0, True)  # an old error is no better than a new one
    # s-maxage alone forbids it as proxy-revalidate does (section 5.2.2.10), unless the service itself says otherwise.
    guarded = said.has(b"s-maxage")
    stale_s = _window_s(said, b"stale-while-revalidate", settings.stale_while_revalidate_s, guarded)
    error_s = _window_s(said, b"stale-if-error", settings.stale_if_error_s, guarded)
    stale_until_s, error_until_s = (until_s + more_s if more_s else 0.0 for more_s in (stale_s, error_s))
    return Freshness(age_s, until_s, stale_until_s, error_until_s, guarded)


def _window_s(said: Directives, name: bytes, configured: float | None, guarded: bool) -> float:
    seconds = said.seconds(name)
    if seconds is not None:
        return float(seconds)
    return 0.0 if guarded or configured is None else configured
