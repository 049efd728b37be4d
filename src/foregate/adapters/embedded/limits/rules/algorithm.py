"""What the algorithms have in common."""

from typing import ClassVar, Protocol

import msgspec

# Of one token, request or slot. Numbers that differ by less are taken as equal: rate × uptime has that much of noise.
SLACK = 1e-4


class Decision(msgspec.Struct, frozen=True, gc=False):
    """`a` and `b` are to be written as the worker's own cells when the request is let through, and only then.

    `remaining` after it; below 0 when a cost above the limit left a debt, or when workers raced.
    """

    allowed: bool
    wait_s: float
    retry_after_s: float
    remaining: float
    reset_s: float
    a: float
    b: float


class Algorithm(Protocol):
    """A rule with its constants worked out. `kind` (1 to 7) stands in the table beside the cells."""

    kind: ClassVar[int]
    lifetime_s: float  # unused for so long, a subject's cells say nothing any more

    def decide(self, cells: tuple[float, ...], own: int, now_s: float, wall_s: float, cost: float) -> Decision:
        """`own` is where the worker's pair begins in `cells`. With cost 0 it tells what is left."""
        ...

    @staticmethod
    def merge(cells: tuple[float, ...]) -> tuple[float, float]:
        """All pairs as one."""
        ...
