"""Numbers that all workers of one machine share without a lock."""

from typing import Protocol


class Cells(Protocol):
    """A run of float64 cells: what a `memoryview` of them, or an `array`, offers."""

    def __getitem__(self, index: int, /) -> float: ...

    def __setitem__(self, index: int, value: float, /) -> None: ...

    def __len__(self) -> int: ...


class Counters(Protocol):
    """A table of float64: one row per worker, `slots` columns, all zero at first.

    A worker adds only to its own row, so no write is ever lost; anyone may sum a column at any time. Values survive a
    worker's death.
    """

    slots: int

    @property
    def row(self) -> Cells:
        """This worker's own cells, `slots` of them: for the request path, where a call per number is too dear.

        Empty for a handle that only reads.
        """
        ...

    def add(self, slot: int, amount: float) -> None:
        """Add to this worker's own cell. Costs about 100 ns; never blocks."""
        ...

    def put(self, slot: int, value: float) -> None:
        """Set this worker's own cell (for gauges)."""
        ...

    def total(self, slot: int) -> float:
        """Sum of the column over all workers."""
        ...

    def others(self, slot: int) -> float:
        """Sum of the column over all workers but this one."""
        ...
