"""Sums over the last 1, 5 and 15 minutes for many entities at once, moved on by 10 s panes.

A row per entity in a few dense arrays: a hop adds the newest pane and takes the oldest away, exactly (all integers),
and quantiles of all rows are found in one sweep. 14 KB per entity.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from foregate.telemetry.sketch import BUCKETS, HEAD_BYTES, middle_ms, read_head
from foregate.telemetry.tally import NUMBERS, QUANTILES, Tally, Times, Window, window_stats
from foregate.telemetry.windows.fold import PANE_S
from foregate.wire.window import WindowStats

HOPS_S = (60, 300, 900)
HOP_MAX_S = HOPS_S[-1]
_RING = 128  # panes remembered for their highest `inflight` and latency; more than the 90 of the longest hop
_LATENCY_COUNT, _LATENCY_US, _UPSTREAM_COUNT, _UPSTREAM_US = range(NUMBERS, NUMBERS + 4)
_SUMS = NUMBERS + 4
_ROWS_AT_ONCE = 256  # of the sweep for quantiles: 6 MB of scratch

Ints = npt.NDArray[np.int64]
_MIDDLES = np.array([middle_ms(bucket) for bucket in range(BUCKETS)])


class RowStats(NamedTuple):
    """One entity's hopping windows of 1, 5 and 15 minutes."""

    row: int
    windows: tuple[WindowStats, WindowStats, WindowStats]


class Hopping:
    """The arrays. Rows are taken and given back by the owner; a row not in use is all zero."""

    def __init__(self, rows: int = 64) -> None:
        self._buckets = np.zeros((rows, len(HOPS_S), BUCKETS), np.int32)
        self._sums = np.zeros((rows, len(HOPS_S), _SUMS), np.int64)
        self._inflight = np.zeros((rows, _RING), np.int64)
        self._slowest = np.zeros((rows, _RING))
        self._free = list(range(rows - 1, -1, -1))

    def take_row(self) -> int:
        """A row of zeros; the arrays double when none is left."""
        if not self._free:
            rows = len(self._sums)
            self._buckets = np.concatenate([self._buckets, np.zeros_like(self._buckets)])
            self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)])
            self._inflight = np.concatenate([self._inflight, np.zeros_like(self._inflight)])
            self._slowest = np.concatenate([self._slowest, np.zeros_like(self._slowest)])
            self._free = list(range(2 * rows - 1, rows - 1, -1))
        return self._free.pop()

    def free_row(self, row: int) -> None:
        """Give a row back."""
        self.clear([row])
        self._free.append(row)

    def clear(self, rows: list[int]) -> None:
        """Zero these rows."""
        self._buckets[rows] = 0
        self._sums[rows] = 0
        self._inflight[rows] = 0
        self._slowest[rows] = 0.0

    def forget_panes(self, rows: list[int], starts: Iterable[int]) -> None:
        """Make room in the ring for panes that begin at `starts`."""
        for start in starts:
            self._inflight[rows, _slot(start)] = 0
            self._slowest[rows, _slot(start)] = 0.0

    def add_late(self, row: int, start: int, end_s: int, tally: Tally) -> None:
        """Count a tally of a pane that lies inside hops ending at `end_s` already."""
        sums = [*tally.numbers, *_counts(tally)]
        buckets = tally.latency.buckets  # may be empty: everything refused
        indexes, counts = np.array(list(buckets), np.intp), np.array(list(buckets.values()), np.int32)
        for hop, span_s in enumerate(HOPS_S):
            if end_s - span_s <= start < end_s:
                self._sums[row, hop] += sums
                self._buckets[row, hop, indexes] += counts
        if end_s - HOP_MAX_S <= start < end_s:
            slot = _slot(start)
            self._inflight[row, slot] = max(self._inflight[row, slot], tally.inflight_max)
            self._slowest[row, slot] = max(self._slowest[row, slot], tally.max_ms)

    def move(self, changes: Iterable[tuple[int, int, int, Window]]) -> None:
        """Apply (row, hop, +1 or -1, pane) all at once."""
        rows, hops, signs, sums, bases, indexes, counts = [], [], [], [], [], [], []
        for row, hop, sign, pane in changes:
            pane_indexes, pane_counts, pane_sums = _arrays_of(pane)
            rows.append(row)
            hops.append(hop)
            signs.append(sign)
            sums.append(pane_sums)
            bases.append((row * len(HOPS_S) + hop) * BUCKETS)
            indexes.append(pane_indexes)
            counts.append(pane_counts)
            if sign > 0 and hop == len(HOPS_S) - 1:
                self._inflight[row, _slot(pane.start_s)] = pane.inflight_max
                self._slowest[row, _slot(pane.start_s)] = pane.max_ms
        if not rows:
            return
        lengths = [len(part) for part in indexes]
        cells = np.concatenate(indexes).astype(np.int64) + np.repeat(np.array(bases), lengths)
        signed = np.concatenate(counts).astype(np.int32) * np.repeat(np.array(signs, np.int32), lengths)
        np.add.at(self._buckets.reshape(-1), cells, signed)
        np.add.at(self._sums, (rows, hops), np.array(sums, np.int64) * np.array(signs, np.int64)[:, None])

    def stats(self, rows: list[int], end_s: int) -> Iterator[RowStats]:
        """The windows ending at `end_s` of those of `rows` that had a request within the longest hop."""
        busy = [row for row in rows if self._sums[row, -1, 0] > 0]
        for first in range(0, len(busy), _ROWS_AT_ONCE):
            yield from self._some_stats(busy[first : first + _ROWS_AT_ONCE], end_s)

    def _some_stats(self, rows: list[int], end_s: int) -> Iterator[RowStats]:
        sums: Ints = self._sums[rows]
        quantiles = _quantiles(self._buckets[rows], sums[:, :, _LATENCY_COUNT]).tolist()
        means = _means_ms(sums, _LATENCY_US, _LATENCY_COUNT).tolist()
        upstream = _means_ms(sums, _UPSTREAM_US, _UPSTREAM_COUNT).tolist()
        inflight = _highest(self._inflight, rows, end_s).tolist()
        slowest = _highest(self._slowest, rows, end_s).tolist()
        numbers = sums[:, :, :NUMBERS].tolist()
        for at, row in enumerate(rows):
            one, five, fifteen = (
                window_stats(
                    end_s - span_s,
                    span_s,
                    numbers[at][hop],
                    inflight[at][hop],
                    Times(means[at][hop], quantiles[at][hop], upstream[at][hop], slowest[at][hop]),
                )
                for hop, span_s in enumerate(HOPS_S)
            )
            yield RowStats(row, (one, five, fifteen))


def _highest(ring: npt.NDArray[Any], rows: list[int], end_s: int) -> npt.NDArray[Any]:
    """(rows, hops): the highest of each hop's panes."""
    per_hop = []
    for span_s in HOPS_S:
        slots = [_slot(start) for start in range(end_s - span_s, end_s, PANE_S)]
        per_hop.append(ring[np.ix_(rows, slots)].max(axis=1))
    return np.stack(per_hop, axis=1)


def _quantiles(buckets: npt.NDArray[np.int32], totals: Ints) -> npt.NDArray[np.float64]:
    """(rows, hops, quantiles) in ms; the same ranks as `Sketch.quantiles`, 0 where there is nothing.

    One running sum over everything: a rank within a histogram is a rank behind all that come before it.
    """
    running = np.cumsum(buckets.reshape(-1), dtype=np.int64)
    behind = running[BUCKETS - 1 :: BUCKETS].reshape(totals.shape) - totals
    ranks = np.maximum(1, np.ceil(np.array(QUANTILES) * totals[:, :, None])).astype(np.int64)
    places = np.searchsorted(running, ranks + behind[:, :, None])
    found: npt.NDArray[np.float64] = _MIDDLES[places % BUCKETS]
    found[totals == 0] = 0.0
    return found


def _means_ms(sums: Ints, us_at: int, count_at: int) -> npt.NDArray[np.float64]:
    counts = sums[:, :, count_at]
    means: npt.NDArray[np.float64] = np.where(counts > 0, sums[:, :, us_at] / 1000.0 / np.maximum(counts, 1), 0.0)
    return means


def _slot(start: int) -> int:
    return start // PANE_S % _RING


def _counts(tally: Tally) -> tuple[int, int, int, int]:
    return tally.latency.count, tally.latency.sum_us, tally.upstream.count, tally.upstream.sum_us


def _arrays_of(pane: Window) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.int64], list[int]]:
    """Bucket numbers, their counts, and the row of sums."""
    sums = [*pane.numbers, *pane.measured]
    encoded = pane.encoded.latency
    if not encoded:
        return _NO_INDEXES, _NO_COUNTS, sums
    letter, size, _ = read_head(encoded)
    indexes = np.frombuffer(encoded, "<u2", size, HEAD_BYTES)
    return indexes, np.frombuffer(encoded, f"<{letter}", size, HEAD_BYTES + 2 * size), sums


_NO_INDEXES = np.zeros(0, np.uint16)
_NO_COUNTS = np.zeros(0, np.int64)
