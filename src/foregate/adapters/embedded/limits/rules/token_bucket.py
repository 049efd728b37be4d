"""A token bucket that all workers share as sums, without a lock.

`a` is what a worker has used since ever, `b` its view of what has flowed over the rim since ever. With these

    tokens(now) = burst + rate · now − Σ a − max b

whoever looks, at any time: there is no "last refilled" to agree on. Overflow is an absolute number, so two workers
that notice the same surplus at once write the same and throw it away once.

Two that take the last token within the same microsecond both see the debt when they look again (the store does).
"""

from typing import ClassVar

from foregate.adapters.embedded.limits.rules.algorithm import SLACK, Decision, Pair, sums
from foregate.ports.limits import Moment, TokenBucket

# A cost above this many bursts counts as this many; so a larger debt can only come of a damaged cell: it is forgiven.
COST_BURSTS_MAX = 16.0


class Tokens:
    """`foregate.ports.limits.TokenBucket`."""

    kind: ClassVar[int] = 1
    __slots__ = ("_burst", "_debt_max", "_rate", "lifetime_s")

    def __init__(self, rule: TokenBucket) -> None:
        self._rate = rule.rate
        self._burst = rule.burst
        self._debt_max = -2.0 * COST_BURSTS_MAX * rule.burst - COST_BURSTS_MAX
        self.lifetime_s = max(10.0, 2.0 * rule.burst / rule.rate)

    def decide(self, cells: tuple[float, ...], own: int, now_s: float, wall_s: float, cost: float) -> Decision:
        """See `Algorithm`."""
        rate, burst = self._rate, self._burst
        used, overflow = sums(cells)
        over = rate * now_s - used - overflow
        a, b = cells[own], cells[own + 1]
        if over > 0.0:
            b = overflow + over
            over = 0.0
        elif over < self._debt_max:  # forgiven whole: a refusal writes nothing, so less would never be written
            a += over
            over = 0.0
        tokens = burst + over
        need = cost
        if cost > burst:  # is let in when the bucket is full, and leaves it in debt
            need = burst
            cost = min(cost, COST_BURSTS_MAX * burst)
        if tokens + SLACK < need:
            return False, (need - tokens) / rate, tokens, (burst - tokens) / rate, a, b
        tokens -= cost
        return True, 0.0, tokens, (burst - tokens) / rate, a + cost, b

    def settled(
        self, cells: tuple[float, ...], own: int, taken: Moment, now: Moment, cost: float, used: float
    ) -> Pair | None:
        """See `Algorithm`."""
        cost_max = COST_BURSTS_MAX * self._burst
        missing = min(used, cost_max) - min(cost, cost_max)
        if missing == 0.0:
            return None
        used_up, overflow = sums(cells)
        over = self._rate * now.now_s - used_up - overflow  # it has flowed over the rim: nothing is missing from that
        return cells[own] + missing, overflow + over if over > 0.0 else cells[own + 1]

    @staticmethod
    def merge(cells: tuple[float, ...]) -> tuple[float, float]:
        """See `Algorithm`."""
        return sums(cells)
