"""Least requests: whoever has the fewest under way for its weight; in turn where several have."""

from foregate.gateway.upstream.balance.balancer import Balancer, T

SCANNED_MAX = 16  # of very many targets the least loaded of so many in turn is taken: as good, and cheaper


class LeastRequests(Balancer[T]):
    """Compares requests under way / weight. Stops at the first idle target: the turns make that fair."""

    __slots__ = ()

    def choose(self, now_s: float, subject: bytes | None, avoid: T | None) -> T | None:
        order = self.order
        count = len(order)
        self.turn = turn = (self.turn + 1) % count
        first = order[turn]
        if not first.inflight and first.circuit.state == "closed" and first is not avoid and not first.warming:
            return first
        best: T | None = None
        least = 0.0
        for at in range(turn, turn + min(count, SCANNED_MAX)):
            target = order[at if at < count else at - count]
            if target.circuit.state != "closed" and not target.circuit.admits(now_s):
                continue
            if target is avoid or (target.warming and not target.turn_comes(now_s)):
                continue
            load = target.inflight / target.weight
            if load == 0.0:
                return target
            if best is None or load < least:
                best, least = target, load
        return best if best is not None else self.any_from(turn, now_s, avoid)
