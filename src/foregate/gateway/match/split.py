"""Sharing traffic by weight: canaries, migrations."""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Generic, TypeVar

T = TypeVar("T")
_HASHES = 1 << 64


class Split(Generic[T]):
    """Values with their weights (≥ 0, not all of them 0), in a fixed order.

    `salt` (a route's name) makes sticky choices of different routes independent. Moving weight between two neighbours
    moves only the subjects that must move.
    """

    __slots__ = ("_salt", "_upto", "_values")

    def __init__(self, values: Sequence[T], weights: Sequence[float], salt: bytes = b"") -> None:
        upto = list(accumulate(weights))
        if len(values) != len(weights) or not upto or min(weights) < 0 or upto[-1] <= 0:
            raise ValueError("there must be one weight for each value, none negative and not all of them 0")
        self._values = tuple(values)
        self._upto = [share / upto[-1] for share in upto]
        self._salt = hashlib.blake2b(salt, digest_size=hashlib.blake2b.SALT_SIZE).digest()

    def pick(self, subject: bytes) -> T:
        """The same for the same subject (a key's id, an address), in every worker and after every restart."""
        digest = hashlib.blake2b(subject, digest_size=8, salt=self._salt).digest()
        return self.at(int.from_bytes(digest, "big") / _HASHES)

    def at(self, point: float) -> T:
        """The value at a point of [0, 1): hand in `rng.random()`."""
        # A hash near 2^64 divided by it is 1.0 in a float: that belongs to the last value that has any weight.
        place = bisect_right(self._upto, point) if point < 1.0 else self._upto.index(1.0)
        return self._values[place]
