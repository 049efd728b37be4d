"""A token bucket that all workers share as one number, without a lock.

The number `used` is the sum of the workers' own cells. With it the bucket holds

    tokens(now) = burst + rate · now − used

whoever looks, at any time: the bucket needs no "last seen" and no worker needs to be told of another. A bucket cannot
hold more than `burst`; who finds it overflowing throws the surplus away by adding it to `used` as well. An admitted
request adds its cost, a refused one nothing.

Two workers that look within the same microsecond may admit one request too many (the bucket then owes it: the next
refill pays) or throw the same surplus away twice. The debt of the first kind is at most one token per other worker; a
larger one can only come of the second (or of a clock that began anew) and is forgiven at once.
"""

import msgspec

from foregate.wire.snapshot import RateLimit

DEBT_MAX = 8.0  # tokens; more than that is not what racing workers owe


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """`used` must be added to the worker's own cell, also when refused. `retry_after_s` is 0 when allowed."""

    allowed: bool
    used: float
    tokens: float  # left after this request
    retry_after_s: float


def decide(now_s: float, used: float, limit: RateLimit, cost: float = 1.0) -> Verdict:
    """`now_s` must come from one clock for all workers (monotonic, of one machine)."""
    rate, burst = limit.rate, limit.burst
    tokens = burst + rate * now_s - used
    correction = 0.0
    if tokens > burst:
        correction = tokens - burst
        tokens = burst
    elif tokens < -DEBT_MAX:
        correction = tokens
        tokens = 0.0
    if tokens >= cost:
        return Verdict(True, correction + cost, tokens - cost, 0.0)
    return Verdict(False, correction, tokens, (cost - tokens) / rate)
