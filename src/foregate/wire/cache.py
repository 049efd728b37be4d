"""The settings of the cache: said once here, validated, documented and compiled from here."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from foregate.wire.settings import HeaderName, Seconds, Settings, Share

FailureStatus = Annotated[str, Meta(pattern="^[345][0-9]{2}$", extra={"form": "status"})]
QueryName = Annotated[str, Meta(min_length=1, max_length=64)]


class Cache(Settings, frozen=True):
    """Keep answers and give them again (RFC 9111, a shared cache). `share`: who may be given an answer another got.

    The organisation of whoever asks is part of the key (the API key itself, where it has none), and so is the API key
    with `share: key`; also the credentials that the service gets to see. Only with `public` everybody shares.
    """

    share: Literal["key", "org", "public"] = "org"
    ttl_s: Seconds | None = None  # successes are fresh for so long, whatever the service says about times
    default_ttl_s: Seconds | None = None  # successes that say nothing about times are fresh for so long
    heuristic_share: Share = 0.1  # else for this share of the time since Last-Modified, a day at most; 0: not at all
    fresh_share: Share = 1.0  # of the time that the service allows, so much is used
    negative: dict[FailureStatus, Seconds] = msgspec.field(default_factory=dict)  # failures that say nothing of times
    stale_while_revalidate_s: Seconds | None = None  # where the service says nothing about it
    stale_if_error_s: Seconds | None = None  # likewise
    query_ignore: tuple[QueryName, ...] = ()  # parameters that make no difference; "utm_*" for all that begin so
    query_sort: bool = False  # the order of parameters makes none either
    vary_headers: tuple[HeaderName, ...] = ()  # of the request, which do make a difference, whatever Vary says
    store_cookies: bool = False  # answers with Set-Cookie too: everybody who shares them is then the same person
    request_directives: bool = True  # heed a client's Cache-Control: no-cache, max-age, only-if-cached and so on
    targets: tuple[HeaderName, ...] = ("cdn-cache-control", "surrogate-control")  # the first that counts wins
    tag_headers: tuple[HeaderName, ...] = ("surrogate-key", "cache-tag")  # of answers: what a purge may name them by
    coalesce: bool = True  # who asks for what is being fetched waits for it, instead of asking too …
    coalesce_wait_s: Annotated[float, Meta(gt=0, le=60)] = 5.0  # … so long for its head; then each asks by itself
    coalesce_max: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000  # per answer and worker; further ones ask too
    not_found_filter: bool = False  # answer 404 for paths that the service lately did not know

    def problem(self) -> str | None:
        if self.ttl_s is not None and self.default_ttl_s is not None:
            return "ttl_s holds for every success: default_ttl_s would never be used"
        return None


MemoryBytes = Annotated[int, Meta(ge=1 << 20, le=1 << 40)]


class NotFoundFilter(Settings, frozen=True):
    """Paths that a service lately did not know, for routes with `not_found_filter`. Per worker.

    A Bloom filter remembers every path that was not found, so that only one that was so before gets an exact entry.
    """

    times: Annotated[int, Meta(ge=1, le=100)] = 2  # the service must have said it so often
    period_s: Annotated[float, Meta(ge=1, le=3_600)] = 30.0  # then it is not asked again for so long
    paths_max: Annotated[int, Meta(ge=1_000, le=10_000_000)] = 100_000  # in the filter; beyond it the older half goes
    known_max: Annotated[int, Meta(ge=100, le=1_000_000)] = 10_000  # answered by it; beyond it the oldest goes
    false_positive_share: Annotated[float, Meta(ge=0.000_001, le=0.1)] = 0.001  # of the filter, when it is full


class CacheStorage(Settings, frozen=True):
    """Where answers are kept, for all routes that cache. The disk is shared by the workers of a machine."""

    memory_bytes_max: MemoryBytes = 64 << 20  # per worker; beyond it the least useful goes
    disk_bytes_max: Annotated[int, Meta(ge=0, le=1 << 50)] = 0  # 0: no disk; beyond it the least used goes
    object_bytes_max: Annotated[int, Meta(ge=1 << 10, le=1 << 40)] = 256 << 20  # larger answers are not stored
    not_found: NotFoundFilter = NotFoundFilter()

    def problem(self) -> str | None:
        if 0 < self.disk_bytes_max < 1 << 20:
            return "disk_bytes_max: must be 0, or at least 1048576"
        return None
