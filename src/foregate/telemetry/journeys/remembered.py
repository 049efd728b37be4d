"""Which traces were decided lately, and how: for spans that come late, and for a reader that begins anew."""

from collections import deque
from collections.abc import Iterable

REMEMBERED_MAX = 500_000  # some 60 MB; beyond it the oldest are forgotten: a late span begins a trace of its own


class Remembered:
    """`trace_key`s by the step that decided them."""

    def __init__(self, keys_max: int = REMEMBERED_MAX) -> None:
        self._keys_max = keys_max
        self._kept: dict[bytes, bool] = {}
        self._steps: deque[tuple[int, list[bytes]]] = deque()

    def add(self, step: int, keys: Iterable[bytes], kept: bool) -> None:
        """Steps rise. What was dropped may be kept later, not the other way round."""
        new: list[bytes] = []
        for key in keys:
            if key not in self._kept:
                new.append(key)
                self._kept[key] = kept
            elif kept:
                self._kept[key] = True
        if new:
            self._steps.append((step, new))
        while len(self._kept) > self._keys_max:
            for key in self._steps.popleft()[1]:
                del self._kept[key]

    def verdict(self, key: bytes) -> bool | None:
        """Whether it was kept; None for one that is not known."""
        return self._kept.get(key)

    @property
    def oldest_step(self) -> int:
        """Nothing before it is remembered; 0 where nothing is."""
        return self._steps[0][0] if self._steps else 0
