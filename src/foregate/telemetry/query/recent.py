"""What was read or answered a moment ago, so that a page that asks again every few seconds costs next to nothing."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable
from typing import Any, TypeVar

from foregate.kernel.clock import Clock
from foregate.kernel.limits import LATE_EVENT_S
from foregate.ports.series import Number, SeriesReader, Sketches
from foregate.wire.entity import Entity
from foregate.wire.window import StoredWindow

BYTES_MAX = 67_108_864  # about; what was used longest ago goes first
CLOSED_TTL_S = (
    60.0  # windows that are over change by late events and imports alone: an answer may miss a minute of them
)
OPEN_TTL_S = 5.0  # the newest numbers are so old at most
_WINDOW_BYTES = 600  # of a window without its sketches, as an object
_ENTRY_BYTES = 1_000  # of an entry with nothing in it: else what was empty would be kept for ever
_NAMED_BYTES = 60  # of each entity in a key
_SHARE_MAX = 0.25  # of the bound: what is larger is not kept, it would push out all the rest
_Made = TypeVar("_Made")
_Key = TypeVar("_Key")


class Recent:
    """Values by key, for so many seconds and bytes. Threads may share it."""

    def __init__(self, clock: Clock, bytes_max: int = BYTES_MAX) -> None:
        self._clock = clock
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[float, int, Any]] = OrderedDict()
        self.bytes = 0

    def get(self, key: Hashable, make: Callable[[], _Made], ttl_s: float, size: Callable[[_Made], int]) -> _Made:
        """The value of `key`, made now if it is not known or too old. `size`: about its bytes, and those of `key`. What
        `make` raises is not kept, nor what is too large."""
        now_s = self._clock.monotonic()
        with self._lock:
            known = self._kept.get(key)
            if known is not None and now_s < known[0]:
                self._kept.move_to_end(key)
                made: _Made = known[2]
                return made
        made = make()
        taken = _ENTRY_BYTES + size(made)
        with self._lock:
            self._forget(key)
            if taken > _SHARE_MAX * self._bytes_max:
                return made
            self._kept[key] = (now_s + ttl_s, taken, made)
            self.bytes += taken
            while self.bytes > self._bytes_max:
                self._forget(next(iter(self._kept)))
        return made

    def _forget(self, key: Hashable) -> None:
        gone = self._kept.pop(key, None)
        self.bytes -= gone[1] if gone else 0


class RecentReader:
    """What the query layer asks of a `SeriesReader`, remembered. Callers must not change what they get."""

    def __init__(self, reader: SeriesReader, clock: Clock, recent: Recent) -> None:
        self._reader = reader
        self._clock = clock
        self._recent = recent

    def closed_s(self) -> float:
        """Windows that end by then are over, and changed by late events and imports alone."""
        return self._clock.now() - LATE_EVENT_S

    def folded(self, key: Hashable, make: Callable[[], dict[_Key, float]]) -> dict[_Key, float]:
        """What was made of windows that are over. The caller must not change it."""
        return self._recent.get(("folded", key), make, CLOSED_TTL_S, lambda found: 150 * len(found))

    def _ttl_s(self, until_s: float) -> float:
        return CLOSED_TTL_S if until_s <= self.closed_s() else OPEN_TTL_S

    def scan(
        self,
        span_s: int,
        from_s: float,
        until_s: float,
        *,
        entities: Collection[Entity] | None,
        rows_max: int,
        sketches: Sketches,
    ) -> list[StoredWindow]:
        def read() -> list[StoredWindow]:
            return self._reader.scan(span_s, from_s, until_s, entities=entities, rows_max=rows_max, sketches=sketches)

        key = ("scan", span_s, from_s, until_s, None if entities is None else frozenset(entities), rows_max, sketches)
        named = _NAMED_BYTES * len(entities or ())
        return self._recent.get(key, read, self._ttl_s(until_s), lambda found: named + _bytes_of(found))

    def totals(self, span_s: int, from_s: float, until_s: float, *, org: str | None) -> list[StoredWindow]:
        key = ("totals", span_s, from_s, until_s, org)
        return self._recent.get(
            key, lambda: self._reader.totals(span_s, from_s, until_s, org=org), self._ttl_s(until_s), _bytes_of
        )

    def sums(
        self, number: Number, span_s: int, from_s: float, until_s: float, *, org: str | None, rows_max: int
    ) -> list[tuple[Entity, float]]:
        def read() -> list[tuple[Entity, float]]:
            return self._reader.sums(number, span_s, from_s, until_s, org=org, rows_max=rows_max)

        key = ("sums", number, span_s, from_s, until_s, org)
        return self._recent.get(key, read, self._ttl_s(until_s), lambda found: 100 * len(found))

    def stale(self, from_s: float, until_s: float, span_s: int) -> list[float]:
        key = ("stale", from_s, until_s, span_s)
        return self._recent.get(
            key, lambda: self._reader.stale(from_s, until_s, span_s), OPEN_TTL_S, lambda found: 100 + 32 * len(found)
        )

    def entities(self) -> list[Entity]:
        return self._recent.get("entities", self._reader.entities, OPEN_TTL_S, lambda found: 100 + 300 * len(found))


def _bytes_of(windows: list[StoredWindow]) -> int:
    return sum(_WINDOW_BYTES + len(one.latency) + len(one.upstream) + len(one.facets) for one in windows)
