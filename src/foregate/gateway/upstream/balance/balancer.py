"""What a balancing algorithm is: told which targets there are, asked which is next."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from foregate.gateway.upstream.balance.candidate import Candidate, takes
from foregate.gateway.upstream.balance.order import smooth_order

T = TypeVar("T", bound=Candidate)


class Balancer(Generic[T]):
    """Base of all algorithms: keeps the targets, and their turns by weight. Not safe between threads: one loop's."""

    __slots__ = ("order", "targets", "turn")

    def __init__(self) -> None:
        self.targets: Sequence[T] = ()
        self.order: list[T] = []  # one period of turns: each target as often as its weight says, well mixed
        self.turn = 0

    def use(self, targets: Sequence[T]) -> None:
        """Choose among these from now on (not empty). Called when targets, weights or health change."""
        self.targets = targets
        self.order = [targets[index] for index in smooth_order([target.weight for target in targets])]
        self.turn %= len(self.order)

    def choose(self, now_s: float, subject: bytes | None, avoid: T | None) -> T | None:
        """The target to send to; None when no circuit admits. Never `avoid`. `subject`: what is hashed, if anything."""
        raise NotImplementedError

    def any_from(self, start: int, now_s: float, avoid: T | None) -> T | None:
        """The first that may be sent to, from place `start` of the order on; whoever warms up only if nobody else."""
        warming: T | None = None
        order = self.order
        for step in range(len(order)):
            target = order[(start + step) % len(order)]
            if takes(target, now_s, avoid):
                if not target.warming or target.turn_comes(now_s):
                    return target
                warming = warming or target
        return warming
