"""A table bounded by bytes that keeps what is asked for again: S3-FIFO (Yang et al., SOSP 2023).

What is new enters a small queue (a tenth of the bytes). At its end, what was asked for since goes over into the main
queue, the rest leaves and only its name is kept for a while (`_ghosts`); a name that comes back enters the main queue
at once. At the end of the main queue, what was asked for goes round again, up to three times. So a scan passes through
the small queue and touches nothing else. A hit costs one look-up and adds to a number; everything is O(1), amortised.
"""

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar

SMALL_SHARE = 0.1
USES_MAX = 3


class Sized(Protocol):
    """What is kept: `size` in bytes with all overhead, never changed; the table writes `uses` and `main`."""

    size: int
    uses: int
    main: bool


E = TypeVar("E", bound=Sized)


class Memory(Generic[E]):
    """`find` is the hit path: whoever gives out what it finds adds 1 to its `uses` while that is below `USES_MAX`."""

    __slots__ = ("_ghosts", "_main", "_small", "_small_bytes", "_table", "bytes_max", "bytes_used", "evicted", "find")

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.bytes_used = 0
        self.evicted = 0
        self._table: dict[bytes, E] = {}
        self._small: OrderedDict[bytes, E] = OrderedDict()
        self._small_bytes = 0
        self._main: OrderedDict[bytes, E] = OrderedDict()
        self._ghosts: OrderedDict[int, None] = OrderedDict()  # hashes of names: never more than there are entries
        self.find = self._table.get

    def __len__(self) -> int:
        return len(self._table)

    def put(self, name: bytes, entry: E) -> bool:
        """Keep `entry`, in place of the former one of that name. False when it is larger than the small queue."""
        former = self._table.get(name)
        if former is not None:
            self._remove(name, former)
        if entry.size > self.largest:
            return False
        if former is not None:
            entry.uses = former.uses  # it is as popular as what it replaces
            entry.main = former.main
        else:
            entry.uses = 0
            entry.main = self._ghosts.pop(hash(name), self) is None
        self._table[name] = entry
        self.bytes_used += entry.size
        if entry.main:
            self._main[name] = entry
        else:
            self._small[name] = entry
            self._small_bytes += entry.size
        self._fit()
        return True

    def remove(self, name: bytes) -> None:
        """Let it go: it is void."""
        entry = self._table.get(name)
        if entry is not None:
            self._remove(name, entry)

    def resize(self, bytes_max: int) -> None:
        """Another bound from now on; what is beyond it goes at once."""
        self.bytes_max = bytes_max
        self._fit()

    @property
    def largest(self) -> int:
        """The size of the largest entry that is taken: one larger would empty the small queue by itself."""
        return int(self.bytes_max * SMALL_SHARE)

    def _remove(self, name: bytes, entry: E) -> None:
        del self._table[name]
        self.bytes_used -= entry.size
        if entry.main:
            del self._main[name]
        else:
            del self._small[name]
            self._small_bytes -= entry.size

    def _fit(self) -> None:
        """Evict until it fits. Each round evicts one or uses up a use, and uses are few: it ends."""
        while self.bytes_used > self.bytes_max:
            if self._small and (self._small_bytes > self.largest or not self._main):
                self._age_small()
            else:
                self._age_main()

    def _age_small(self) -> None:
        name, entry = self._small.popitem(last=False)
        self._small_bytes -= entry.size
        if entry.uses > 0:
            entry.uses = 0
            entry.main = True
            self._main[name] = entry
            return
        self._evict(name, entry)
        self._ghosts[hash(name)] = None
        while len(self._ghosts) > len(self._table):
            self._ghosts.popitem(last=False)

    def _age_main(self) -> None:
        name, entry = self._main.popitem(last=False)
        if entry.uses > 0:
            entry.uses -= 1
            self._main[name] = entry
        else:
            self._evict(name, entry)

    def _evict(self, name: bytes, entry: E) -> None:
        del self._table[name]
        self.bytes_used -= entry.size
        self.evicted += 1
