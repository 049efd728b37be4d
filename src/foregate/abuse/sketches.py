"""Counting what there is too much of to count: who asks most (count-min), and how many different ones (HyperLogLog).

Both are those of Apache DataSketches; the tests hold them to their published bounds.
"""

from collections.abc import Iterable, Mapping
from heapq import nlargest

import datasketches

# Count-min (Cormode and Muthukrishnan, 2005): never too low; with probability 1 - e^-HASHES too high by at most
# e/BUCKETS of all that was counted: 0.1 % at 99.3 %. 109 KB each.
CM_HASHES = 5
CM_BUCKETS = 2_719
# HyperLogLog (Flajolet et al., 2007): standard error 1.04/sqrt(2^HLL_LG) = 1.15 %, so 95 % within 2.3 %. 8 KB each.
HLL_LG = 13
CANDIDATES_MAX = 512  # names kept beside a sketch; beyond it the lighter half is forgotten (their counts are not)


class HeavyHitters:
    """Who asks most of late. Call `turn` every so often: what is said covers the present span and the one before."""

    def __init__(self) -> None:
        self._present = _Counted()
        self._before = _Counted()

    def add(self, counts: Mapping[str, int]) -> None:
        """So many more of each name."""
        self._present.add(counts)

    def turn(self) -> None:
        """Begin another span."""
        self._before, self._present = self._present, _Counted()

    def estimate(self, name: str) -> float:
        """How many, never too few."""
        return self._present.estimate(name) + self._before.estimate(name)

    @property
    def total(self) -> float:
        """Of all names."""
        return self._present.total + self._before.total

    @property
    def error_max(self) -> float:
        """By how much an estimate may be too high (at 99.3 % of the names)."""
        return self.total * 2.718281828 / CM_BUCKETS

    def top(self, count: int) -> list[tuple[str, float]]:
        """(name, estimate) of those that ask most, the first first."""
        names = self._present.names | self._before.names
        return nlargest(count, ((name, self.estimate(name)) for name in names), key=lambda pair: pair[1])


class _Counted:
    """One span: a sketch, and the names of those that may be its heaviest."""

    __slots__ = ("_sketch", "names", "total")

    def __init__(self) -> None:
        self._sketch = datasketches.count_min_sketch(CM_HASHES, CM_BUCKETS)
        self.names: set[str] = set()
        self.total = 0.0

    def add(self, counts: Mapping[str, int]) -> None:
        update = self._sketch.update
        for name, count in counts.items():
            update(name, count)
            self.total += count
        self.names.update(counts)
        if len(self.names) > CANDIDATES_MAX:
            self.names = set(nlargest(CANDIDATES_MAX // 2, self.names, key=self._sketch.get_estimate))

    def estimate(self, name: str) -> float:
        return float(self._sketch.get_estimate(name))


class Uniques:
    """How many different ones there were, without remembering any. `stored` is what `bytes` gave."""

    def __init__(self, stored: bytes = b"") -> None:
        sketch = datasketches.hll_sketch
        self._sketch = sketch.deserialize(stored) if stored else sketch(HLL_LG, datasketches.tgt_hll_type.HLL_8)

    def add(self, names: Iterable[str]) -> None:
        update = self._sketch.update
        for name in names:
            update(name)

    @property
    def estimate(self) -> float:
        return float(self._sketch.get_estimate())

    def __bytes__(self) -> bytes:
        return bytes(self._sketch.serialize_updatable())

    @staticmethod
    def together(several: Iterable["Uniques"]) -> float:
        """How many different ones there were in all of them."""
        union = datasketches.hll_union(HLL_LG)
        for one in several:
            union.update(one._sketch)
        return float(union.get_estimate())
