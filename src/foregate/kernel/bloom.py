"""A Bloom filter (Bloom 1970), and one of two generations that forgets. Pure; one process's own."""

import hashlib
import math


class Bloom:
    """A set that may say yes to what it has not got: to `false_positive_share` of it once it holds `items_max`.

    It has the m = -n·ln p / ln² 2 bits and k = (m/n)·ln 2 hashes that this takes; these come from two (Kirsch and
    Mitzenmacher 2006) under `seed`, so that nobody outside can choose items that collide.
    """

    __slots__ = ("_bits", "_hashes", "_seed", "_size", "items", "ones")

    def __init__(self, items_max: int, false_positive_share: float, seed: bytes) -> None:
        self._size = max(64, math.ceil(-items_max * math.log(false_positive_share) / math.log(2) ** 2))
        self._hashes = max(1, round(self._size / items_max * math.log(2)))
        self._bits = bytearray(-(-self._size // 8))
        self._seed = seed[:16]
        self.items = 0  # added that it did not have
        self.ones = 0  # bits that are set

    def add(self, item: bytes) -> bool:
        """Whether it was not there before: for certain."""
        bits, before = self._bits, self.ones
        for place in self._places(item):
            mask = 1 << (place & 7)
            if not bits[place >> 3] & mask:
                bits[place >> 3] |= mask
                self.ones += 1
        self.items += self.ones > before
        return self.ones > before

    def __contains__(self, item: bytes) -> bool:
        bits = self._bits
        return all(bits[place >> 3] & 1 << (place & 7) for place in self._places(item))

    @property
    def false_positive_share(self) -> float:
        """At present, by the bits that are set."""
        share: float = (self.ones / self._size) ** self._hashes
        return share

    @property
    def bytes_used(self) -> int:
        return len(self._bits)

    def _places(self, item: bytes) -> list[int]:
        digest = hashlib.blake2b(item, digest_size=16, key=self._seed).digest()
        first, step = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little") | 1
        size = self._size
        return [(first + number * step) % size for number in range(self._hashes)]


class RotatingBloom:
    """Two filters, each for half of `items_max`: what is added goes into the younger, both are asked.

    When the younger is full, or `rotate` is called, the elder is forgotten: an item is kept for one to two generations.
    Each has half of `false_positive_share`, so both together stay within it.
    """

    __slots__ = ("_elder", "_half", "_seed", "_share", "_younger")

    def __init__(self, items_max: int, false_positive_share: float, seed: bytes) -> None:
        self._half = max(1, items_max // 2)
        self._share = false_positive_share / 2.0
        self._seed = seed
        self._elder, self._younger = self._empty(), self._empty()

    def add(self, item: bytes) -> bool:
        """Whether neither had it before."""
        fresh = item not in self._elder
        fresh = self._younger.add(item) and fresh
        if self._younger.items >= self._half:
            self.rotate()
        return fresh

    def __contains__(self, item: bytes) -> bool:
        return item in self._younger or item in self._elder

    def __len__(self) -> int:
        return self._younger.items + self._elder.items

    def rotate(self) -> None:
        """Forget the elder generation."""
        self._elder, self._younger = self._younger, self._empty()

    def clear(self) -> None:
        """Forget everything."""
        self._elder, self._younger = self._empty(), self._empty()

    @property
    def false_positive_share(self) -> float:
        """At present, of both together."""
        return 1.0 - (1.0 - self._younger.false_positive_share) * (1.0 - self._elder.false_positive_share)

    @property
    def bytes_used(self) -> int:
        return self._younger.bytes_used + self._elder.bytes_used

    def _empty(self) -> Bloom:
        return Bloom(self._half, self._share, self._seed)
