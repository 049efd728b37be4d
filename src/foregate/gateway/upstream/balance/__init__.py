"""Which target is next: one algorithm per file, all of them told of weights, health, circuits and slow start."""

import random

from foregate.gateway.upstream.balance.balancer import Balancer, T
from foregate.gateway.upstream.balance.candidate import Candidate
from foregate.gateway.upstream.balance.consistent_hash import ConsistentHash
from foregate.gateway.upstream.balance.least_requests import LeastRequests
from foregate.gateway.upstream.balance.p2c_ewma import P2cEwma
from foregate.gateway.upstream.balance.round_robin import RoundRobin
from foregate.gateway.upstream.balance.weighted_random import WeightedRandom
from foregate.wire.snapshot import Balance

__all__ = ["Balancer", "Candidate", "make_balancer"]


def make_balancer(settings: Balance, rng: random.Random) -> Balancer[T]:
    """The algorithm that `settings` name. It has no targets yet: `use` must be called."""
    if settings.algorithm == "round_robin":
        return RoundRobin()
    if settings.algorithm == "random":
        return WeightedRandom(rng)
    if settings.algorithm == "p2c_ewma":
        return P2cEwma(rng)
    if settings.algorithm == "consistent_hash":
        return ConsistentHash(settings.virtual_nodes, settings.load_bound, rng)
    return LeastRequests()
