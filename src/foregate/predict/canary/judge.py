"""Whether a canary does worse than what it is to replace. Pure."""

from __future__ import annotations

import math
from typing import NamedTuple

from foregate.wire.canary import Canary

CHANCE_MAX = 1e-5  # that chance alone makes such a difference; small, for it is looked at every second
_FAILURES_MIN = 3
_SHARE_UNKNOWN = 0.001  # of failures, where there is nothing to compare with
_TAIL = 0.05  # of the requests are slower than the 95th percentile, by its definition


class Counts(NamedTuple):
    """Of one service, within the window. `p95_ms` is of the requests that did not fail; `slow`: how many of these were
    slower than the limit that the other one's p95 sets. `risk`: the predicted one, -1 where there is none.
    """

    requests: int
    failures: int
    p95_ms: float = 0.0
    slow: int = 0
    risk: float = -1.0


def verdict(canary: Canary, new: Counts, old: Counts) -> str | None:
    """Why the canary is to end, as a sentence; None while there is no reason."""
    if new.requests < canary.requests_min:
        return None
    return _errors(canary, new, old) or _latency(canary, new, old) or _risk(canary, new, old)


def _errors(canary: Canary, new: Counts, old: Counts) -> str | None:
    share, usual = new.failures / new.requests, old.failures / max(old.requests, 1)
    if new.failures < _FAILURES_MIN or share - usual < canary.errors_over:
        return None
    if old.requests:  # all failures alike, each would be the canary's as often as requests are
        chance = _at_least(new.failures, new.failures + old.failures, new.requests / (new.requests + old.requests))
    else:
        chance = _at_least(new.failures, new.requests, _SHARE_UNKNOWN)
    if chance > CHANCE_MAX:
        return None
    return (
        f"{share:.1%} of {new.requests} requests failed, {usual:.1%} of {old.requests} with the service that it is to "
        f"replace (by chance: {chance:.0e})"
    )


def _latency(canary: Canary, new: Counts, old: Counts) -> str | None:
    timed = new.requests - new.failures
    if canary.slower_than is None or old.requests - old.failures < canary.requests_min or not old.p95_ms:
        return None
    if new.p95_ms < canary.slower_than * old.p95_ms:
        return None
    if _at_least(new.slow, timed, _TAIL) > CHANCE_MAX:
        return None
    return (
        f"its p95 is {new.p95_ms:.0f} ms, {new.p95_ms / old.p95_ms:.1f}× the {old.p95_ms:.0f} ms of the service that "
        f"it is to replace ({timed} requests)"
    )


def _risk(canary: Canary, new: Counts, old: Counts) -> str | None:
    if canary.risk is None or new.risk < canary.risk or old.risk >= canary.risk:
        return None
    known = f"{old.risk:.0%}" if old.risk >= 0 else "no such risk"
    return f"its risk of failing is {new.risk:.0%}, with the service that it is to replace {known}"


def _at_least(hits: int, of: int, share: float) -> float:
    """P(X >= hits) of a binomial: exact, for at small counts the normal distribution promises too much."""
    if share >= 1.0 or not hits:
        return 1.0
    log_p, log_q = math.log(share), math.log1p(-share)
    log_of = math.lgamma(of + 1)
    terms = (
        math.exp(log_of - math.lgamma(k + 1) - math.lgamma(of - k + 1) + k * log_p + (of - k) * log_q)
        for k in range(hits, of + 1)
    )
    total = 0.0
    for term in terms:
        total += term
        if term < total * 1e-9 and total > 0.0:  # past the largest one, they only shrink
            break
    return min(1.0, total)
