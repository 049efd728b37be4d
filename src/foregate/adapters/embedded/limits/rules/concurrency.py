"""So many at the same time: `a` is what a worker holds now. Its successor begins at zero (the store sees to it)."""

from typing import ClassVar

from foregate.adapters.embedded.limits.rules.algorithm import SLACK, Decision, Pair
from foregate.ports.limits import Concurrency, Moment

RETRY_AFTER_S = 1.0  # nobody knows when a slot will be free
LIFETIME_S = 3_600.0  # a subject that holds slots for longer, with no other request, may be forgotten


class Slots:
    """`foregate.ports.limits.Concurrency`."""

    kind: ClassVar[int] = 5
    __slots__ = ("_limit", "lifetime_s")

    def __init__(self, rule: Concurrency) -> None:
        self._limit = rule.limit
        self.lifetime_s = LIFETIME_S

    def decide(self, cells: tuple[float, ...], own: int, now_s: float, wall_s: float, cost: float) -> Decision:
        """See `Algorithm`."""
        left = self._limit - sum(cells[::2])
        if left + SLACK < min(cost, self._limit):
            return False, RETRY_AFTER_S, left, 0.0, cells[own], 0.0
        return True, 0.0, left - cost, 0.0, cells[own] + cost, 0.0

    def settled(
        self, cells: tuple[float, ...], own: int, taken: Moment, now: Moment, cost: float, used: float
    ) -> Pair | None:
        """See `Algorithm`."""
        return None

    @staticmethod
    def merge(cells: tuple[float, ...]) -> tuple[float, float]:
        """See `Algorithm`. Who held them is gone."""
        return 0.0, 0.0


def given_back(held: float, cost: float) -> float:
    """What a worker holds after a release."""
    left = held - cost
    return left if left > SLACK else 0.0
