"""From an answer's head to what is stored of it. Pure."""

from __future__ import annotations

from foregate.gateway.cache.asked import Asked
from foregate.gateway.cache.directives import effective, values_of
from foregate.gateway.cache.freshness import HEURISTIC, freshness, lifetime_s
from foregate.gateway.cache.prepared import facts_of
from foregate.gateway.cache.storable import unwanted_fields, why_not
from foregate.gateway.cache.validate import conditions, kept_fields, refreshed
from foregate.gateway.cache.vary import variant, vary_names
from foregate.gateway.inner.exchange import AnswerHead
from foregate.http1.date import http_date
from foregate.http1.headers import HeaderList, find
from foregate.ports.cache import TAGS_MAX, Stored
from foregate.wire.cache import Cache

NO_FRESHNESS = "no_freshness"


def kept_of(
    head: AnswerHead, asked: Asked, settings: Cache, targets: tuple[bytes, ...], request_s: float, response_s: float
) -> Stored | str:
    """What is stored of an answer, without its body, or in a word why nothing is. Times are Unix seconds."""
    if head.error:
        return head.error
    headers = head.headers
    said, aimed = effective(headers, targets)
    names = vary_names(headers)
    reason = why_not(
        head.status,
        headers,
        said,
        authorized=asked.authorized,
        store_cookies=settings.store_cookies,
        varies=names is None,
    )
    if reason or names is None:
        return reason
    fresh = freshness(head.status, headers, said, aimed, settings, request_s, response_s)
    if head.status not in HEURISTIC and lifetime_s(head.status, headers, said, aimed, settings, response_s) is None:
        return NO_FRESHNESS  # nothing says that it may be stored (RFC 9111 section 3)
    kept = kept_fields(headers, unwanted_fields(said))
    windows = fresh.fresh_until_s, fresh.stale_until_s, fresh.error_until_s
    if max(windows) <= response_s and not conditions(kept):
        return NO_FRESHNESS  # nobody would ever be given it
    if (tags := tags_of(headers, settings)) is None:
        return "tags"
    if find(kept, b"date") is None:
        kept.append((b"date", http_date(response_s)))
    facts = facts_of(fresh.age_s, fresh.strict)
    chosen = variant(names, asked.sent)
    return Stored(head.status, kept, request_s, response_s, *windows, names, chosen, tags, facts)


def same_for_all(head: AnswerHead, kept: Stored | str) -> bool:
    """Whether an answer is the same for whoever shares the key, whatever else they send: by what was `kept` of it."""
    return (isinstance(kept, Stored) or kept == NO_FRESHNESS) and vary_names(head.headers) == ()


def refreshed_of(
    stored: Stored,
    head: AnswerHead,
    asked: Asked,
    settings: Cache,
    targets: tuple[bytes, ...],
    request_s: float,
    response_s: float,
) -> tuple[Stored, str]:
    """The stored answer after a 304 with this head, without its body, which stays as it is; and in a word why it may
    not be stored any more, "" where it may.

    A cookie that comes with a 304 is for who asked, and the answer is for many: it is nobody's.
    """
    said, _ = effective(head.headers, targets)
    news = head.headers
    if not settings.store_cookies:
        news = [field for field in news if field[0] != b"set-cookie"]
    headers = refreshed(stored.headers, news, unwanted_fields(said))
    if find(head.headers, b"date") is None:
        headers = [field for field in headers if field[0] != b"date"] + [(b"date", http_date(response_s))]
    age = [field for field in head.headers if field[0] == b"age"]
    said, aimed = effective(headers, targets)
    fresh = freshness(stored.status, headers + age, said, aimed, settings, request_s, response_s)
    tags = tags_of(headers, settings)
    names = vary_names(headers)
    reason = why_not(
        stored.status,
        headers,
        said,
        authorized=asked.authorized,
        store_cookies=settings.store_cookies,
        varies=names != stored.vary,
    )
    windows = fresh.fresh_until_s, fresh.stale_until_s, fresh.error_until_s
    facts = facts_of(fresh.age_s, fresh.strict)
    made = Stored(
        stored.status, headers, request_s, response_s, *windows, stored.vary, stored.variant, tags or (), facts
    )
    return made, reason or ("tags" if tags is None else "")


def tags_of(headers: HeaderList, settings: Cache) -> tuple[str, ...] | None:
    """What a purge may name it by: words, or a list with commas. None when there are too many."""
    tags: list[str] = []
    for name in settings.tag_headers:
        value = values_of(headers, name.lower().encode())
        if value is not None:
            tags += value.decode("latin-1").replace(",", " ").split()
    unique = tuple(dict.fromkeys(tags))
    return unique if len(unique) <= TAGS_MAX else None
