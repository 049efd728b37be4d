"""Power of two choices by peak EWMA: of two drawn at random, the one that promises to answer sooner.

A target's cost is its latency, as an average that jumps up with every slower answer and sinks slowly, times what it has
under way (Mitzenmacher 2001; Finagle's "peak EWMA", Linkerd). Two draws keep many gateways from all running to the
momentarily best target. Finagle lets one time constant of 10 s do both, sinking and forgetting; then one hiccup of a
fast target makes it look slow for seconds, and a slow one got 3.4 % of the requests instead of 0.4 %.
"""

import random
from math import exp

from foregate.gateway.upstream.balance.balancer import Balancer, T
from foregate.gateway.upstream.balance.candidate import Candidate, takes

DECAY_S = 10.0  # after so long without an answer a latency counts 1/e: who was slow gets tried again
SINK_S = 2.0  # time constant with which faster answers bring it down: evidence counts more than forgetting
UNKNOWN_S = 1.0  # the latency of a target that has not answered yet, once it has something under way


def cost(target: Candidate, now_s: float) -> float:
    """Expected seconds of waiting. An idle target costs its latency, whatever its weight: then the draw decides."""
    latency_s = target.latency_s
    if not latency_s:
        return UNKNOWN_S * target.inflight
    return latency_s * exp((target.sampled_s - now_s) / DECAY_S) * (1.0 + target.inflight / target.weight)


class P2cEwma(Balancer[T]):
    """Draws by weight, compares by `cost`."""

    __slots__ = ("_random",)

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._random = rng.random

    def choose(self, now_s: float, subject: bytes | None, avoid: T | None) -> T | None:
        order = self.order
        count = len(order)
        drawn = self._random() * count
        at = int(drawn)
        first = order[at]
        other = (at + 1 + int((drawn - at) * (count - 1))) % count  # what is left of the draw is as random as it was
        second = order[other]
        while second is first and other != at:
            other = (other + 1) % count
            second = order[other]
        if takes(first, now_s, avoid):
            best, spare = first, second
            if second is not first and takes(second, now_s, avoid) and cost(second, now_s) < cost(first, now_s):
                best, spare = second, first
        elif takes(second, now_s, avoid):
            best, spare = second, first
        else:
            return self.any_from(at, now_s, avoid)
        if best.warming and not best.turn_comes(now_s) and takes(spare, now_s, avoid):
            return spare
        return best
