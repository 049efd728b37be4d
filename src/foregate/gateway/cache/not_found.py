"""Paths that a service lately did not know: whoever asks for one again is told so without asking the service.

    stamp = paths.stamp(key)          # before the service is asked
    paths.missing(key, stamp)         # it said 404, to whoever may share the key's answers, whatever their headers
    paths.found(key)                  # it said something else
    paths.written(key)                # an unsafe method succeeded there
    paths.known(key)                  # → answer 404

Scanners ask for endless paths once, so these must cost next to nothing: the first 404 of a path is remembered by a
Bloom filter alone (1.2 to 3 bytes). Only one that the filter has gets an exact entry, a digest of its primary key, and
only by exact entries 404 is answered. So a false positive of the filter makes no wrong 404: it gives a path its entry
one 404 early, and that 404 the service has just said.

An entry holds for `period_s` after the service has last said 404; nothing renews it but the service. It is void after a
write to its path or to one above it (`/orders`, for `/orders/7`) through any worker, and all are void after a purge and
after a change of the configuration. What a service makes known by itself is missed for up to `period_s`.
"""

import hashlib
from collections import OrderedDict

from foregate.kernel.bloom import RotatingBloom
from foregate.kernel.clock import Clock
from foregate.ports.cache import CacheStore, Key
from foregate.wire.cache import NotFoundFilter

DEPTH_MAX = 16  # a path with more segments is never known
_TREE = b"\0tree"  # marks of writes are kept beside those of urls, and are none

Stamp = tuple[int, ...]  # the marks of a path and all above it; () for one that is too deep


class NotFoundPaths:
    """One worker's, for all its routes. `seed`: chance, so that nobody outside knows which paths collide."""

    __slots__ = ("_clock", "_entries", "_filter", "_purges", "_rotate_s", "_seed", "_store", "answered", "settings")

    def __init__(self, settings: NotFoundFilter, store: CacheStore, clock: Clock, seed: bytes) -> None:
        self.settings = settings
        self.answered = 0  # by it
        self._store = store
        self._clock = clock
        self._seed = seed
        self._entries: OrderedDict[bytes, tuple[int, float, Stamp]] = OrderedDict()  # 404s, until when, as of what
        self._filter: RotatingBloom | None = None  # made when it is first needed
        self._rotate_s = 0.0
        self._purges = -1

    def known(self, key: Key) -> bool:
        """Whether to answer 404."""
        if not self._entries:
            return False
        entry = self._entries.get(_digest(key))
        if entry is None:
            return False
        count, until_s, stamp = entry
        if count < self.settings.times or until_s <= self._clock.monotonic() or stamp != self.stamp(key):
            return False
        self.answered += 1
        return True

    def stamp(self, key: Key) -> Stamp:
        """What a 404 must not be older than."""
        path = _path(key)
        if path.count(b"/") > DEPTH_MAX:
            return ()
        moment = self._store.moment(_tree(key, path))
        marks = [moment.purges, moment.mark]
        while path:
            path = path.rpartition(b"/")[0]
            marks.append(self._store.moment(_tree(key, path)).mark)
        return tuple(marks)

    def missing(self, key: Key, stamp: Stamp) -> None:
        """The service said 404; it was asked at `stamp`."""
        if not stamp:
            return
        now_s, digest, settings = self._clock.monotonic(), _digest(key), self.settings
        self._turn(now_s, stamp[0])
        entry = self._entries.pop(digest, None)
        if entry is None and settings.times > 1 and self._remembered().add(digest):
            return
        count = entry[0] + 1 if entry is not None else min(2, settings.times)
        self._entries[digest] = (count, now_s + settings.period_s, stamp)
        while len(self._entries) > settings.known_max:
            self._entries.popitem(last=False)

    def found(self, key: Key) -> None:
        """The service said something else."""
        if self._entries:
            self._entries.pop(_digest(key), None)

    def written(self, key: Key) -> None:
        """An unsafe method succeeded: what is there or below may exist now, for every organisation."""
        self._store.delete(_tree(key, _path(key)))

    def empty(self) -> None:
        """Another configuration: other services, other paths."""
        self._entries.clear()
        self._filter = None

    def configure(self, settings: NotFoundFilter) -> None:
        """Other settings from now on. Empties it."""
        self.settings = settings
        self.empty()

    @property
    def entries(self) -> int:
        """Exact ones."""
        return len(self._entries)

    @property
    def remembered(self) -> int:
        """Paths in the filter."""
        return len(self._filter) if self._filter is not None else 0

    @property
    def false_positive_share(self) -> float:
        """Of the filter at present, estimated from its fill."""
        return self._filter.false_positive_share if self._filter is not None else 0.0

    def _turn(self, now_s: float, purges: int) -> None:
        if purges != self._purges:
            self._purges = purges
            self.empty()
        if now_s >= self._rotate_s:
            if self._filter is not None:
                self._filter.rotate()
            self._rotate_s = now_s + self.settings.period_s

    def _remembered(self) -> RotatingBloom:
        if self._filter is None:
            self._filter = RotatingBloom(self.settings.paths_max, self.settings.false_positive_share, self._seed)
        return self._filter


def _path(key: Key) -> bytes:
    return key.url.partition(b"?")[0].rstrip(b"/")


def _tree(key: Key, path: bytes) -> Key:
    """What a write marks: of no organisation, for it concerns them all."""
    return Key(b"", "", key.host, _TREE + path)


def _digest(key: Key) -> bytes:
    return hashlib.blake2b(key.primary, digest_size=16).digest()
