"""Which of a partition's batches were there before: by their ids, within a bounded stretch. Pure.

The answer for a batch depends on nothing but the `BATCHES_MAX` before it, so whoever begins to read further on looks
back so far, and comes to the same.
"""

from collections import deque

BATCHES_MAX = 256


class Repeats:
    """Tell it every batch of a partition, in order."""

    def __init__(self) -> None:
        self._order: deque[str] = deque()
        self._count: dict[str, int] = {}

    def is_repeat(self, batch_id: str) -> bool:
        """Whether one of the last `BATCHES_MAX` batches had this id. "" is nobody's."""
        found = batch_id != "" and batch_id in self._count
        self._order.append(batch_id)
        self._count[batch_id] = self._count.get(batch_id, 0) + 1
        if len(self._order) > BATCHES_MAX:
            oldest = self._order.popleft()
            self._count[oldest] -= 1
            if self._count[oldest] == 0:
                del self._count[oldest]
        return found
