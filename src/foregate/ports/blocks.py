"""Numbers that all workers of one machine share without a lock, found by name: metrics that outlive reloads."""

from collections.abc import Sequence
from typing import Protocol

BLOCK_CELLS_MAX = 1024


class Cells(Protocol):
    """A run of float64 cells: what a `memoryview` of them, or an `array`, offers."""

    def __getitem__(self, index: int, /) -> float: ...

    def __setitem__(self, index: int, value: float, /) -> None: ...

    def __len__(self) -> int: ...


class Block(Protocol):
    """A run of float64 cells, one such run per worker. A worker writes only its own, so no write is ever lost."""

    @property
    def own(self) -> Cells:
        """This worker's cells, for `cells[i] += 1.0` on the request path. Empty for a handle that only reads."""
        ...

    def total(self, index: int) -> float:
        """Sum of cell `index` over all workers. IndexError outside the block."""
        ...

    def each(self, index: int) -> list[float]:
        """Cell `index` of every worker, by worker. IndexError outside the block."""
        ...


class Blocks(Protocol):
    """Blocks by name. All cells are zero at first; they survive reloads, restarts and kill -9."""

    def claim(self, wanted: Sequence[tuple[str, int]]) -> Sequence[Block]:
        """One block per (name, cells), in this order; the same name and size gives the same block in every process.

        A size is 1 to `BLOCK_CELLS_MAX` (else ValueError). When there is no room for more names they all share one
        block, and `overflowed` counts them. A handle that only reads makes nothing: what nobody has claimed yet reads
        as zeros.
        """
        ...

    def overflowed(self) -> int:
        """How many names share the overflow block, at the worker that has most of them: of all it has claimed."""
        ...

    def close(self) -> None:
        """Let go of the store; the numbers stay. Blocks of this handle must not be used any more."""
        ...
