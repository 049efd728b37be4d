"""Answers kept to be given again: in a worker's memory, and on a disk that all workers of a machine share.

The store knows no HTTP: what may be stored, for how long, and whom it suits (RFC 9111) is the caller's to decide.

    moment = store.moment(key)                    # before the upstream is asked
    writer = store.begin(key, moment, head)       # head: a `Stored` without body
    writer.append(chunk) …, writer.commit()       # or discard()
    found = store.get(key.primary, select, now_s) # `Stored`, or `Absent`, or an awaitable of them: it lies on the disk
"""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from foregate.wire.cache import CacheStorage

PRIMARY_BYTES_MAX = 16_384  # of a key; what has a longer one is not stored
VARY_SETS_MAX = 4  # different Vary under one primary key, the newest of them
TAGS_MAX = 128  # of an answer; one with more is not stored: no purge shall miss it

HeaderList = list[tuple[bytes, bytes]]


class Key(NamedTuple):
    """`primary` tells apart what must not be shared (organisation, key, method, host, path, query, …).

    `org` ("" for public), `host` (lower case, its port where the URL has one) and `url` (path and query, as asked) are
    what a purge names it by.
    """

    primary: bytes
    org: str
    host: bytes
    url: bytes


class Moment(NamedTuple):
    """The state of invalidation when the upstream was asked: an answer is void if it was purged after it."""

    purges: int
    mark: int


class DiskBody(Protocol):
    """A body that is too large for memory. `close` it when it is done with; its file may be evicted meanwhile."""

    length: int

    def read(self, start: int, stop: int) -> Awaitable[bytes]:
        """The bytes `start:stop`, checked. Raises OSError when the file is damaged: the answer must break off."""
        ...

    def close(self) -> None: ...


class Stored(msgspec.Struct, gc=False):
    """An answer. Not to be changed but for `prepared`, which is the caller's own (never on disk).

    Times are Unix seconds. `vary`: the names (lower case, sorted) that chose `variant` among the answers of its
    primary key; both empty without Vary. Beyond `fresh_until_s` it is stale; until `stale_until_s` it may be given
    while it is asked for anew, until `error_until_s` instead of an error.
    """

    status: int
    headers: HeaderList
    request_time_s: float
    response_time_s: float
    fresh_until_s: float
    stale_until_s: float = 0.0
    error_until_s: float = 0.0
    vary: tuple[bytes, ...] = ()
    variant: bytes = b""
    tags: tuple[str, ...] = ()
    facts: dict[str, str] = {}  # what the caller wants to find again with it
    body: bytes | DiskBody = b""
    prepared: Any = None

    @property
    def length(self) -> int:
        """Of the body, in bytes."""
        return len(self.body) if isinstance(self.body, bytes) else self.body.length


class Absent(Enum):
    """Nothing suits: of this primary key nothing is there, or other variants only."""

    URI = "uri-miss"
    VARIANT = "vary-miss"


Found = Stored | Absent
Select = Callable[[tuple[bytes, ...]], bytes]  # names of Vary → the variant that suits the request


class Writer(Protocol):
    """A body on its way in. `append` and `commit` say False when it will not be (was not) stored: go on without.

    Exactly one of `commit` and `discard` ends it; after a False both do nothing.
    """

    def append(self, chunk: bytes) -> bool: ...

    def commit(self) -> bool: ...

    def discard(self) -> None: ...


class CacheStats(msgspec.Struct, frozen=True):
    """Bytes and objects at present; the others count since the worker (of a disk: since its directory) began."""

    memory_bytes: int = 0
    memory_bytes_max: int = 0
    memory_objects: int = 0
    memory_evicted: int = 0
    disk_bytes: int = 0
    disk_bytes_max: int = 0
    disk_objects: int = 0
    disk_evicted: int = 0
    disk_damaged: int = 0  # objects that failed their checksum, and were dropped
    not_stored: int = 0  # too large, a full disk, or more at once than may wait to be written
    purges: int = 0


PurgeKind = Literal["url", "prefix", "tag"]


class Purger(Protocol):
    """`pattern`: an answer's url or a prefix of it, with its host in front or beginning with "/" for every host;
    or a tag. `org`: of one organisation alone, None for all and what is public. Effective at once, in all workers."""

    def purge(self, kind: PurgeKind, pattern: str, org: str | None = None) -> None: ...

    def stats(self) -> CacheStats: ...


class CacheStore(Purger, Protocol):
    """One worker's handle. Nothing here blocks; nothing raises for a full or broken disk."""

    def get(self, primary: bytes, select: Select, now_s: float) -> Found | Awaitable[Found]:
        """What suits, fresh or stale. Where it is stale by `now_s`, another worker's newer one is looked for."""
        ...

    def moment(self, key: Key) -> Moment: ...

    def put(self, key: Key, moment: Moment, stored: Stored) -> bool:
        """Store an answer whose body is there (bytes), in place of the variant's former one."""
        ...

    def begin(self, key: Key, moment: Moment, head: Stored, length: int | None = None) -> Writer | None:
        """Store an answer whose body is still coming, `length` bytes if that is known. None: too large."""
        ...

    def refresh(self, key: Key, moment: Moment, old: Stored, head: Stored) -> Stored:
        """A 304 came: `head` with the body of `old` takes its place, and is returned (also where that is gone)."""
        ...

    def resize(self, settings: CacheStorage) -> None:
        """Other bounds from now on; what is beyond them goes."""
        ...

    def delete(self, key: Key) -> None:
        """Void all that is stored of this organisation, host and url, in all workers: an unsafe method changed it."""
        ...

    def close(self) -> None: ...
