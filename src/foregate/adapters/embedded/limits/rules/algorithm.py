"""What the algorithms have in common."""

from typing import ClassVar, Protocol, TypeAlias

from foregate.ports.limits import Moment

# Of one token, request or slot. Numbers that differ by less are taken as equal: rate × uptime has that much of noise.
SLACK = 1e-4


# (a, b): a pair of cells.
Pair: TypeAlias = tuple[float, float]

# (allowed, wait_s, remaining, reset_s, a, b): a plain tuple, as several are made for each request.
#   wait_s     when allowed, go on after so long; else, when it may be worth another try
#   remaining  after it; below 0 when a cost above the limit left a debt, or when workers raced
#   reset_s    until all of the limit is free again, or the window ends
#   a, b       to be written as the worker's own cells when the request is let through, and only then
Decision: TypeAlias = tuple[bool, float, float, float, float, float]


def sums(cells: tuple[float, ...]) -> tuple[float, float]:
    """(Σ a, max b), without slices where there are few workers: this is asked with every request."""
    if len(cells) == 2:
        return cells[0], cells[1]
    if len(cells) == 4:
        a, b, other_a, other_b = cells
        if other_b > b:
            b = other_b
        return a + other_a, b
    return sum(cells[::2]), max(cells[1::2])


class Algorithm(Protocol):
    """A rule with its constants worked out. `kind` (1 to 7) stands in the table beside the cells."""

    kind: ClassVar[int]
    lifetime_s: float  # unused for so long, a subject's cells say nothing any more

    def decide(self, cells: tuple[float, ...], own: int, now_s: float, wall_s: float, cost: float) -> Decision:
        """`own` is where the worker's pair begins in `cells`. With cost 0 it tells what is left."""
        ...

    def settled(
        self, cells: tuple[float, ...], own: int, taken: Moment, now: Moment, cost: float, used: float
    ) -> Pair | None:
        """The own pair once `used` stands in for the `cost` that was let through at `taken`; None: as it is."""
        ...

    @staticmethod
    def merge(cells: tuple[float, ...]) -> tuple[float, float]:
        """All pairs as one."""
        ...
