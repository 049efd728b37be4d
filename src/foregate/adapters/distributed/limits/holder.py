"""What one worker holds of concurrency limits: pure bookkeeping, told to the server as totals.

A total heals: whatever message was lost or came late, the next one puts it right. Each carries a sequence number, so
that of two on different connections the newer one counts. A limit of which the server may think otherwise is in doubt
until it has been told.
"""

import itertools

ALIVE_S = 15.0  # a worker that has given no sign of life for so long holds nothing
DOUBTFUL_MAX = 65_536  # limits in doubt; the one longest in doubt is dropped, the server forgets it within the hour


class Holder:
    """`id` is this worker's name at the server. Keys are the limits' keys there."""

    def __init__(self, id: str) -> None:  # noqa: A002 - it is one
        self.id = id
        self._sequence = 0
        self._held: dict[str, float] = {}  # no more than there are requests under way
        self._doubtful: dict[str, None] = {}

    @property
    def busy(self) -> bool:
        """Whether anything is held."""
        return bool(self._held)

    @property
    def doubtful(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._doubtful)

    def take(self, key: str, cost: float) -> tuple[float, int]:
        """(what was held before, sequence number); from now on `cost` more is held."""
        held = self._held.get(key, 0.0)
        self._held[key] = held + cost
        self._sequence += 1
        return held, self._sequence

    def give_back(self, key: str, cost: float) -> None:
        """Hold less; to be told."""
        left = self._held.pop(key, 0.0) - cost
        if left > 1e-6:
            self._held[key] = left
        self.doubt(key)

    def doubt(self, key: str) -> None:
        """This limit is to be told."""
        if len(self._doubtful) >= DOUBTFUL_MAX and key not in self._doubtful:
            del self._doubtful[next(iter(self._doubtful))]
        self._doubtful[key] = None

    def doubt_all(self) -> None:
        """The server may have forgotten everything."""
        for key in self._held:
            self.doubt(key)

    def next_doubtful(self, limits_max: int) -> list[tuple[str, int, float]]:
        """(key, sequence number, what is held) of limits to tell, the longest in doubt first."""
        said = []
        for key in list(itertools.islice(self._doubtful, limits_max)):
            del self._doubtful[key]
            self._sequence += 1
            said.append((key, self._sequence, self._held.get(key, 0.0)))
        return said
