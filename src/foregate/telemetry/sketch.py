"""Quantiles that can be merged: a histogram with logarithmic buckets (the idea of DDSketch).

Bucket i ≥ 1 holds values in [MIN·γ^(i-1), MIN·γ^i) ms with γ = 1.01 / 0.99, so its middle is within 1 % of each.
The grid is the same everywhere: merging and subtracting is adding and subtracting counts, exactly, in any order.
Source: Masson, Rim, Lee: DDSketch, VLDB 2019, https://arxiv.org/abs/1908.10693
"""

import math
import struct
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

BUCKETS = 1_024  # 0.01 ms to 2.1 hours; what is smaller or larger counts to the first or last bucket
MIN_MS = 0.01
GAMMA = 1.01 / 0.99
PER_LOG = 1.0 / math.log(GAMMA)
QUANTILES = (0.50, 0.95, 0.99)
SUM_MAX = 1 << 56  # any sum stays there: 72 PB, or 2,283 years in µs; 90 of them, a hop's panes, still fit 64 bits

_MIDDLE_MS = [MIN_MS, *(MIN_MS * GAMMA ** (i - 1) * 2.0 * GAMMA / (1.0 + GAMMA) for i in range(1, BUCKETS))]
_HEAD = struct.Struct("<BcHq")  # version, type of the counts, how many buckets follow, sum in µs
_VERSION = 1
_COUNT_BYTES = {"B": 1, "H": 2, "I": 4, "Q": 8}


def bucket_of(value_ms: float) -> int:
    """The bucket of a value ≥ 0."""
    if value_ms <= MIN_MS:
        return 0
    bucket = int(math.log(value_ms / MIN_MS) * PER_LOG) + 1
    return bucket if bucket < BUCKETS else BUCKETS - 1


def middle_ms(bucket: int) -> float:
    """The value that stands for a bucket, in ms."""
    return _MIDDLE_MS[bucket]


class Sketch:
    """Counts per bucket and the exact sum, kept in whole microseconds so that no order of adding changes it."""

    __slots__ = ("_order", "buckets", "sum_us")

    def __init__(self, buckets: dict[int, int] | None = None, sum_us: int = 0) -> None:
        self.buckets: dict[int, int] = {} if buckets is None else buckets
        self.sum_us = sum_us
        self._order: list[int] = []

    def _sorted(self) -> list[int]:
        """The buckets in use, rising. Kept, because a long window is asked often and rarely gets a new one."""
        if len(self._order) != len(self.buckets):  # none is ever removed, except by subtract
            self._order = sorted(self.buckets)
        return self._order

    @property
    def count(self) -> int:
        return sum(self.buckets.values())

    def add(self, value_ms: float) -> None:
        """Count one value ≥ 0, in ms."""
        bucket = bucket_of(value_ms)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.sum_us += int(value_ms * 1000.0 + 0.5)

    def merge(self, other: "Sketch") -> None:
        """Add what `other` counted."""
        mine = self.buckets
        if mine:
            for bucket, count in other.buckets.items():
                mine[bucket] = mine.get(bucket, 0) + count
        else:
            mine.update(other.buckets)  # a new window's first tally: three times as fast
        self.sum_us = min(self.sum_us + other.sum_us, SUM_MAX)

    def merge_encoded(self, data: bytes) -> None:
        """`merge(decode(data))`, without the sketch in between. Raises ValueError."""
        if not self.buckets:
            decoded = Sketch.decode(data)
            self.buckets, self.sum_us = decoded.buckets, min(self.sum_us + decoded.sum_us, SUM_MAX)
        elif data:
            kind, size, sum_us = read_head(data)
            values = struct.unpack_from(f"<{size}H{size}{kind}", data, _HEAD.size)
            mine = self.buckets
            for bucket, count in zip(values[:size], values[size:], strict=True):
                mine[bucket] = mine.get(bucket, 0) + count
            self.sum_us = min(self.sum_us + sum_us, SUM_MAX)

    def subtract(self, other: "Sketch") -> None:
        """Take away what was merged before. Raises ValueError when it was not."""
        mine = self.buckets
        for bucket, count in other.buckets.items():
            left = mine.get(bucket, 0) - count
            if left < 0:
                raise ValueError(f"bucket {bucket} would hold {left}: this sketch never contained the other")
            if left:
                mine[bucket] = left
            else:
                del mine[bucket]
        self._order = []
        self.sum_us -= other.sum_us

    def mean_ms(self) -> float:
        """0 when empty."""
        count = self.count
        return self.sum_us / 1000.0 / count if count else 0.0

    def quantiles(self, shares: Sequence[float] = QUANTILES) -> list[float]:
        """The values in ms below which these shares of all lie: rank ⌈share·n⌉, within 1 %; 0 when empty."""
        if not self.buckets:
            return [0.0] * len(shares)
        buckets = self._sorted()
        running = list(accumulate(map(self.buckets.__getitem__, buckets)))
        ranks = [max(1, math.ceil(share * running[-1])) for share in shares]
        return [_MIDDLE_MS[buckets[bisect_left(running, rank)]] for rank in ranks]

    def encode(self) -> bytes:
        """Header, bucket numbers (2 bytes each), counts (1, 2, 4 or 8 bytes each): usually some hundred bytes."""
        buckets = self._sorted()
        counts = list(map(self.buckets.__getitem__, buckets))
        kind = _kind_for(max(counts, default=0))
        head = _HEAD.pack(_VERSION, kind.encode(), len(buckets), self.sum_us)
        return head + struct.pack(f"<{len(buckets)}H{len(counts)}{kind}", *buckets, *counts)

    @classmethod
    def decode(cls, data: bytes) -> "Sketch":
        """The inverse of `encode`; b"" is an empty sketch. Raises ValueError on anything else."""
        if not data:
            return cls()
        kind, size, sum_us = read_head(data)
        values = struct.unpack_from(f"<{size}H{size}{kind}", data, _HEAD.size)
        return cls(dict(zip(values[:size], values[size:], strict=True)), sum_us)


HEAD_BYTES = _HEAD.size


def read_head(data: bytes) -> tuple[str, int, int]:
    """(struct letter of the counts, how many buckets, sum in µs) of an encoded sketch. Raises ValueError."""
    if len(data) < _HEAD.size:
        raise ValueError("a sketch is cut short")
    version, kind, size, sum_us = _HEAD.unpack_from(data)
    letter = kind.decode("latin-1")
    if version != _VERSION or letter not in _COUNT_BYTES:
        raise ValueError(f"a sketch of version {version} cannot be read here")
    if len(data) != _HEAD.size + size * (2 + _COUNT_BYTES[letter]):
        raise ValueError("a sketch has the wrong length")
    return letter, size, sum_us


def _kind_for(largest: int) -> str:
    if largest < 1 << 8:
        return "B"
    if largest < 1 << 16:
        return "H"
    return "I" if largest < 1 << 32 else "Q"
