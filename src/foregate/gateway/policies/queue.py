"""Who waits for a place: a bounded queue by priority.

The highest priority is next, the oldest of equals first. At the bound a newcomer of higher priority takes the place of
the lowest, newest one; any other newcomer is refused. Nobody waits beyond its time. Every operation is O(log n)
(amortised): heaps with entries that are crossed out where they lie and swept away once they are the majority.
"""

from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

T = TypeVar("T")


class Entry(Generic[T]):
    """Somebody who waits. `deadline_s` in monotonic seconds; `waiting` is False once it is out."""

    __slots__ = ("deadline_s", "item", "number", "priority", "waiting")

    def __init__(self, item: T, priority: int, deadline_s: float, number: int) -> None:
        self.item = item
        self.priority = priority
        self.deadline_s = deadline_s
        self.number = number
        self.waiting = True


class PriorityQueue(Generic[T]):
    """At most `size` entries; 0: nobody waits."""

    __slots__ = ("_first", "_last", "_number", "_soonest", "_waiting", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._number = 0
        self._waiting = 0
        self._first: list[tuple[int, int, Entry[T]]] = []  # (-priority, number): the next one
        self._last: list[tuple[int, int, Entry[T]]] = []  # (priority, -number): the one to go when it is full
        self._soonest: list[tuple[float, int, Entry[T]]] = []  # (deadline, number)

    def __len__(self) -> int:
        return self._waiting

    def takes(self, priority: int) -> bool:
        """Whether there is a place for a newcomer of this priority, somebody else's perhaps."""
        if self._waiting < self.size:
            return True
        last = self._lowest()
        return last is not None and last.priority < priority

    def push(self, item: T, priority: int, deadline_s: float) -> tuple[Entry[T] | None, Entry[T] | None]:
        """(the new entry or None when there is no place for it, the one that had to make room or None)."""
        if not self.takes(priority):
            return None, None
        pushed_out = self._lowest() if self._waiting >= self.size else None
        if pushed_out is not None:
            self.remove(pushed_out)
        self._number += 1
        entry = Entry(item, priority, deadline_s, self._number)
        self._waiting += 1
        heappush(self._first, (-priority, entry.number, entry))
        heappush(self._last, (priority, -entry.number, entry))
        heappush(self._soonest, (deadline_s, entry.number, entry))
        return entry, pushed_out

    def pop(self) -> Entry[T] | None:
        """The next one, or None."""
        first = self._first
        while first:
            entry = heappop(first)[2]
            if entry.waiting:
                self.remove(entry)
                return entry
        return None

    def remove(self, entry: Entry[T]) -> None:
        """It waits no longer."""
        if not entry.waiting:
            return
        entry.waiting = False
        self._waiting -= 1
        if len(self._last) + len(self._soonest) + len(self._first) > 6 * self._waiting + 48:
            self._sweep()

    def expired(self, now_s: float) -> list[Entry[T]]:
        """Those whose time is over; they are out."""
        late = []
        soonest = self._soonest
        while soonest and (soonest[0][0] <= now_s or not soonest[0][2].waiting):
            entry = heappop(soonest)[2]
            if entry.waiting:
                self.remove(entry)
                late.append(entry)
                soonest = self._soonest
        return late

    def next_deadline_s(self) -> float | None:
        """When the first of them will have waited too long."""
        soonest = self._soonest
        while soonest and not soonest[0][2].waiting:
            heappop(soonest)
        return soonest[0][0] if soonest else None

    def _lowest(self) -> Entry[T] | None:
        last = self._last
        while last and not last[0][2].waiting:
            heappop(last)
        return last[0][2] if last else None

    def _sweep(self) -> None:
        self._first = [item for item in self._first if item[2].waiting]
        self._last = [item for item in self._last if item[2].waiting]
        self._soonest = [item for item in self._soonest if item[2].waiting]
        heapify(self._first)
        heapify(self._last)
        heapify(self._soonest)
