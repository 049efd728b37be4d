"""What is usual: each entity's own past minutes, bounded, and the robust statistics of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.kernel.limits import ENTITIES_MAX, HISTORY_MINUTES_MAX
from foregate.wire.entity import Entity
from foregate.wire.window import WindowStats

Floats = NDArray[np.float64]

METRICS: Final = (
    "rps",
    "error_rate",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "mean_ms",
    "upstream_mean_ms",
    "inflight_max",
    "client_share",
    "retry_share",
    "limited_share",
    "concurrency",
)
COLUMN: Final = {name: index for index, name in enumerate(METRICS)}
REQUESTS_MIN = 5  # a minute with fewer says nothing about quantiles: it is kept as a gap
REFERENCE_MINUTES_MIN = 2  # with fewer usable minutes there is no "usual": the entity is still being learned
CALM_QUANTILE = 0.2
_CHUNK = 32


def metrics_of(stats: WindowStats) -> tuple[float, ...]:
    """The window's numbers in the order of `METRICS`. `concurrency` is Little's law: arrivals × mean time in system."""
    n = stats.requests or 1
    return (
        stats.rps,
        stats.error_rate,
        stats.p50_ms,
        stats.p95_ms,
        stats.p99_ms,
        stats.mean_ms,
        stats.upstream_mean_ms,
        float(stats.inflight_max),
        stats.client_errors / n,
        stats.retries / n,
        stats.limited / n,
        stats.rps * stats.mean_ms / 1000.0,
    )


@dataclass(frozen=True, slots=True)
class Usual:
    """Robust statistics of the reference minutes, each of shape (len(METRICS),), in the metric's unit.

    `median`; `spread` = 1.4826 · median absolute deviation; `calm` = the 20 % quantile, which a slowly growing fault
    spoils later than the median.
    """

    median: Floats
    spread: Floats
    calm: Floats
    minutes: int


def reference_rows(usable: int) -> int:
    """How many of `usable` past minutes, oldest first, are the reference.

    The latest are left out, so that a fault which has been growing for a while is not mistaken for what is usual: half
    of the past, at least 5 and at most 15 minutes, but two minutes always stay.
    """
    excluded = min(max(usable // 2, 5), 15)
    return max(min(usable, REFERENCE_MINUTES_MIN), usable - excluded)


class Past:
    """The closed minutes of one entity, oldest first: at most `minutes_max`, none older than that many minutes."""

    __slots__ = ("_bad", "_count", "_minutes_max", "_rows", "_starts", "_usable", "_usual")

    def __init__(self, minutes_max: int = HISTORY_MINUTES_MAX) -> None:
        self._minutes_max = minutes_max
        self._rows: NDArray[np.float32] = np.zeros((_CHUNK, len(METRICS)), dtype=np.float32)
        self._starts: Floats = np.zeros(_CHUNK)
        self._usable: NDArray[np.bool_] = np.zeros(_CHUNK, dtype=np.bool_)
        self._bad: NDArray[np.bool_] = np.zeros(_CHUNK, dtype=np.bool_)
        self._count = 0
        self._usual: Usual | None = None

    def add(self, minute: WindowStats) -> bool:
        """Append a closed minute. False when it is not newer than the last one (a replay, or a late correction).

        After the clock has gone back by more than a quarter of an hour the later minutes are forgotten: otherwise
        nothing would be learned until the old time is reached again.
        """
        if self._count and minute.start_s <= self._starts[self._count - 1]:
            if minute.start_s > self._starts[self._count - 1] - 900:
                return False
            self._count = int(np.searchsorted(self._starts[: self._count], minute.start_s))
        if self._count == len(self._starts):
            self._make_room()
        i = self._count
        self._starts[i] = minute.start_s
        self._rows[i] = metrics_of(minute)
        self._bad[i] = minute.bad
        self._usable[i] = minute.requests >= REQUESTS_MIN and not minute.bad
        self._count = i + 1
        self._usual = None
        return True

    def _make_room(self) -> None:
        """Double up to the bound and a quarter, then drop the oldest quarter: appending stays O(1) on average."""
        size_max = self._minutes_max + max(self._minutes_max // 4, 1)
        if self._count >= size_max:
            keep = slice(self._count - self._minutes_max, self._count)
            for array in (self._rows, self._starts, self._usable, self._bad):
                array[: self._minutes_max] = array[keep].copy()
            self._count = self._minutes_max
            return
        size = min(2 * len(self._starts), size_max)
        rows, starts, usable, bad = self._rows, self._starts, self._usable, self._bad
        self._rows = np.zeros((size, len(METRICS)), dtype=np.float32)
        self._starts, self._usable = np.zeros(size), np.zeros(size, dtype=np.bool_)
        self._bad = np.zeros(size, dtype=np.bool_)
        n = self._count
        self._rows[:n], self._starts[:n], self._usable[:n], self._bad[:n] = rows[:n], starts[:n], usable[:n], bad[:n]

    @property
    def last_start_s(self) -> float | None:
        return float(self._starts[self._count - 1]) if self._count else None

    def _from(self, oldest_s: float) -> slice:
        return slice(int(np.searchsorted(self._starts[: self._count], oldest_s)), self._count)

    def minutes_usable(self) -> int:
        """How many minutes of the bounded past can be compared with."""
        if not self._count:
            return 0
        recent = self._from(self._starts[self._count - 1] - (self._minutes_max - 1) * 60)
        return int(self._usable[recent].sum())

    def bad_minutes(self, from_s: float) -> int:
        """Bad minutes that started at or after `from_s`."""
        return int(self._bad[self._from(from_s)].sum())

    def usual(self) -> Usual | None:
        """The statistics of the reference minutes, None while fewer than two minutes are usable. Cached per minute."""
        if self._usual is None and self._count:
            recent = self._from(self._starts[self._count - 1] - (self._minutes_max - 1) * 60)
            rows = self._rows[recent][self._usable[recent]].astype(np.float64)
            if len(rows) >= REFERENCE_MINUTES_MIN:
                self._usual = _statistics(rows[: reference_rows(len(rows))])
        return self._usual

    def recent(self, from_s: float) -> tuple[Floats, Floats]:
        """The usable minutes that started at or after `from_s`: their starts, shape (n,), and metrics, (n, M)."""
        span = self._from(from_s)
        usable = self._usable[span]
        return self._starts[span][usable], self._rows[span][usable].astype(np.float64)


def _statistics(rows: Floats) -> Usual:
    ordered = np.sort(rows, axis=0)
    n = len(ordered)
    median = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    deviation = np.sort(np.abs(rows - median), axis=0)
    spread = 1.4826 * (deviation[(n - 1) // 2] + deviation[n // 2]) / 2
    return Usual(median, spread, ordered[int(CALM_QUANTILE * (n - 1))], n)


class History:
    """The past of every entity, at most `entities_max` of them: the one unheard of for longest is forgotten first."""

    def __init__(self, entities_max: int = ENTITIES_MAX) -> None:
        self._entities_max = entities_max
        self._pasts: dict[Entity, Past] = {}

    def add(self, entity: Entity, minute: WindowStats) -> bool:
        """Append a closed 1-minute window. False when it is not newer than the last one."""
        past = self._pasts.pop(entity, None) or Past()
        added = past.add(minute)
        self._pasts[entity] = past  # last in the dict: a plain dict keeps order, which makes it the bound's LRU
        if len(self._pasts) > self._entities_max:
            del self._pasts[next(iter(self._pasts))]
        return added

    def of(self, entity: Entity) -> Past | None:
        return self._pasts.get(entity)

    def __len__(self) -> int:
        return len(self._pasts)

    def __iter__(self) -> Iterator[Entity]:
        return iter(self._pasts)
