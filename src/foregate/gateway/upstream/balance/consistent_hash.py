"""Consistent hashing with bounded loads: the same subject to the same target, and no target beyond its share.

Each target stands at many places of a ring of 64-bit numbers (Karger 1997); a subject belongs to the next one. When a
target leaves, only its own subjects move. A target that has more than `load_bound` times its share of all requests
under way passes the request on to the next (Mirrokni, Thorup, Zadimoghaddam 2016). Places and subjects are hashed with
BLAKE2b: every worker, gateway and restart has the same ring.
"""

import random
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from math import ceil

from foregate.gateway.upstream.balance.balancer import Balancer, T
from foregate.gateway.upstream.balance.candidate import takes

RING_PLACES_MAX = 65_536  # of one service; more targets or heavier weights get fewer places each
_PER_DIGEST = 8  # numbers of 64 bits in one BLAKE2b digest
_WHOLE = 1 << 64


@lru_cache(maxsize=512)
def places(url: str, count: int) -> "array[int]":
    """Where a target stands. The first n of count places are the same for every count."""
    found = array("Q")
    for block in range(-(-count // _PER_DIGEST)):
        digest = blake2b(b"%s#%d" % (url.encode(), block)).digest()
        found.extend(int.from_bytes(digest[at : at + 8], "big") for at in range(0, 64, 8))
    return found[:count]


def position(subject: bytes) -> int:
    """Where a subject stands."""
    return int.from_bytes(blake2b(subject, digest_size=8).digest(), "big")


class ConsistentHash(Balancer[T]):
    """`virtual_nodes` places for each unit of weight. Without a subject a request goes anywhere."""

    __slots__ = ("_load_bound", "_owners", "_random", "_ring", "_virtual_nodes", "_weight")

    def __init__(self, virtual_nodes: int, load_bound: float, rng: random.Random) -> None:
        super().__init__()
        self._virtual_nodes = virtual_nodes
        self._load_bound = load_bound
        self._random = rng.random
        self._ring: list[int] = []
        self._owners: list[T] = []
        self._weight = 0

    def use(self, targets: Sequence[T]) -> None:
        super().use(targets)
        self._weight = sum(target.weight for target in targets)
        nodes = self._virtual_nodes * self._weight
        scale = min(1.0, RING_PLACES_MAX / nodes)
        ring = [
            (place, index)
            for index, target in enumerate(targets)
            for place in places(target.url, max(1, int(self._virtual_nodes * target.weight * scale)))
        ]
        ring.sort()
        self._ring = [place for place, _ in ring]
        self._owners = [targets[index] for _, index in ring]

    def choose(self, now_s: float, subject: bytes | None, avoid: T | None) -> T | None:
        stands = position(subject) if subject is not None else int(self._random() * _WHOLE)
        owners = self._owners
        at = bisect_right(self._ring, stands) % len(owners)
        first = owners[at]
        if first.inflight == 0 and not first.warming and takes(first, now_s, avoid):
            return first  # whatever the average: nobody's bound is below one
        return self._walk(at, stands, now_s, avoid)

    def _walk(self, at: int, stands: int, now_s: float, avoid: T | None) -> T | None:
        """The next on the ring that has room; the next that would take it at all, if none has."""
        per_weight = self._load_bound * (1 + sum([target.inflight for target in self.targets])) / self._weight
        owners, seen = self._owners, set[int]()
        resort: T | None = None
        for step in range(len(owners)):
            target = owners[(at + step) % len(owners)]
            if id(target) in seen:
                continue
            seen.add(id(target))
            if takes(target, now_s, avoid):
                resort = resort or target
                has_room = target.inflight < ceil(per_weight * target.weight)
                if has_room and (not target.warming or stands % 1_024 < target.share(now_s) * 1_024):
                    return target
            if len(seen) == len(self.targets):
                break
        return resort
