"""Turns by weight, well mixed: a period in which each has as many turns as its weight says."""

from collections.abc import Sequence
from math import gcd

ORDER_ITEMS_MAX = 4_096  # of one period; heavier weights are scaled down, each keeps at least one turn


def smooth_order(weights: Sequence[int]) -> list[int]:
    """Indexes of `weights` (each ≥ 1) in turn; the k-th of w turns stands at (k + ½) / w of the period.

    [3, 1] → 0 0 1 0. The same mixing that nginx's smooth weighted round robin gives, computed once instead of at every
    choice.
    """
    common = gcd(*weights)
    turns = [weight // common for weight in weights]
    total = sum(turns)
    if total > ORDER_ITEMS_MAX:
        turns = [max(1, turn * ORDER_ITEMS_MAX // total) for turn in turns]
    places = [((k + 0.5) / count, index) for index, count in enumerate(turns) for k in range(count)]
    places.sort()
    return [index for _, index in places]
