"""Random: each by chance, as often as its weight says. Many gateways do not fall into step, as with turns they may."""

import random

from foregate.gateway.upstream.balance.balancer import Balancer, T


class WeightedRandom(Balancer[T]):
    """One draw. Where it falls on somebody who cannot take it, the next in the order does."""

    __slots__ = ("_random",)

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._random = rng.random

    def choose(self, now_s: float, subject: bytes | None, avoid: T | None) -> T | None:
        order = self.order
        at = int(self._random() * len(order))
        target = order[at]
        if target.circuit.state == "closed" and target is not avoid and not target.warming:
            return target
        return self.any_from(at, now_s, avoid)
