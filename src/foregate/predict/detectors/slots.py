"""State of many series at once: arrays whose first axis is the series' slot."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
State = NDArray[np.float32]
Counts = NDArray[np.int64]
Index = NDArray[np.intp]

PART: Final = 512  # slots that are worked on at once where each needs much room: some 30 MB for a moment


def parts(slots: Index) -> list[Index]:
    """The slots in parts of at most 512; none for none."""
    return [slots[at : at + PART] for at in range(0, len(slots), PART)]


class Slots:
    """`size` slots. A slot is forgotten by `reset`; more are added by `grow`; nothing else allocates."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._blank: dict[str, float] = {}

    def reset(self, slots: Index) -> None:
        """Forget these slots: from now on they are as new ones are."""
        for name, blank in self._blank.items():
            getattr(self, name)[slots] = blank

    def grow(self, size: int) -> None:
        """Add blank slots up to `size` in all."""
        for name, blank in self._blank.items():
            old: NDArray[Any] = getattr(self, name)
            more = np.full((size - self.size, *old.shape[1:]), blank, dtype=old.dtype)
            setattr(self, name, np.concatenate((old, more)))
        self.size = size

    @property
    def nbytes(self) -> int:
        """Memory of the state, in bytes."""
        return sum(getattr(self, name).nbytes for name in self._blank)

    def _floats(self, name: str, *shape: int, blank: float = np.nan) -> State:
        self._blank[name] = blank
        return np.full((self.size, *shape), blank, dtype=np.float32)

    def _counts(self, name: str, blank: int = 0) -> Counts:
        self._blank[name] = blank
        return np.full(self.size, blank, dtype=np.int64)
