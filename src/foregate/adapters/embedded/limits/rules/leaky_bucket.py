"""A leaky bucket: a queue that nobody stands in. Each request learns how long to wait, and leaves one after another.

`a` is what a worker has poured in since ever, `b` its view of the time, in requests, that the bucket was empty:

    level(now) = Σ a + max b − rate · now

The delay is level / rate. See `token_bucket` for why this needs no lock.
"""

from typing import ClassVar

from foregate.adapters.embedded.limits.rules.algorithm import SLACK, Decision, Pair, sums
from foregate.ports.limits import LeakyBucket, Moment

COST_QUEUES_MAX = 16.0  # a cost above this many full queues counts as this many; a higher level is a damaged cell


class Leaky:
    """`foregate.ports.limits.LeakyBucket`."""

    kind: ClassVar[int] = 2
    __slots__ = ("_cost_max", "_queue", "_rate", "lifetime_s")

    def __init__(self, rule: LeakyBucket) -> None:
        self._rate = rule.rate
        self._queue = min(rule.burst, rule.rate * rule.delay_max_s)
        self._cost_max = COST_QUEUES_MAX * (self._queue + 1.0)
        self.lifetime_s = max(10.0, 2.0 * (self._queue + 1.0) / rule.rate)

    def decide(self, cells: tuple[float, ...], own: int, now_s: float, wall_s: float, cost: float) -> Decision:
        """See `Algorithm`. `remaining` is how many more could be let in at this moment."""
        rate, queue = self._rate, self._queue
        poured, idle = sums(cells)
        level = poured + idle - rate * now_s
        a, b = cells[own], cells[own + 1]
        if level < 0.0:
            b = idle - level
            level = 0.0
        elif level > 2.0 * self._cost_max:
            a -= level
            level = 0.0
        if level > queue + SLACK and cost > 0.0:
            return False, (level - queue) / rate, queue + 1.0 - level, level / rate, a, b
        cost = min(cost, self._cost_max)
        after = level + cost
        return True, level / rate, queue + 1.0 - after, after / rate, a + cost, b

    def settled(
        self, cells: tuple[float, ...], own: int, taken: Moment, now: Moment, cost: float, used: float
    ) -> Pair | None:
        """See `Algorithm`."""
        return None

    @staticmethod
    def merge(cells: tuple[float, ...]) -> tuple[float, float]:
        """See `Algorithm`."""
        return sums(cells)
