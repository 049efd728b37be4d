"""Round robin: everyone in turn, as often as its weight says."""

from foregate.gateway.upstream.balance.balancer import Balancer, T


class RoundRobin(Balancer[T]):
    """Smooth weighted round robin. Knows nothing of load: for requests that all cost about the same."""

    __slots__ = ()

    def choose(self, now_s: float, subject: bytes | None, avoid: T | None) -> T | None:
        order = self.order
        self.turn = turn = (self.turn + 1) % len(order)
        target = order[turn]
        if target.circuit.state == "closed" and target is not avoid and not target.warming:
            return target
        return self.any_from(turn, now_s, avoid)
