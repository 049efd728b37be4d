"""Whether a stored answer may be given to a request, and how (RFC 9111 section 4.2.4, RFC 5861). Pure."""

from __future__ import annotations

from typing import Literal

from foregate.gateway.cache.asked import Asked

# give it; give it and ask anew behind the client's back; ask first whether it still holds
Use = Literal["fresh", "stale", "refresh", "validate"]


def use(asked: Asked, now_s: float, age_s: float, fresh_until_s: float, stale_until_s: float, strict: bool) -> Use:
    """`age_s`: now. `strict`: its sender forbids that it be given stale at a client's wish."""
    left_s = fresh_until_s - now_s
    if asked.no_cache or (asked.max_age is not None and age_s > asked.max_age):
        return "validate"
    if asked.max_age == 0:
        return "validate"  # a reload: the second in which it came counts, too
    if asked.min_fresh is not None and left_s < asked.min_fresh:
        return "validate"
    if left_s > 0.0:
        return "fresh"
    if asked.max_stale is not None and not strict and -left_s <= asked.max_stale:
        return "stale"
    return "refresh" if now_s < stale_until_s else "validate"
