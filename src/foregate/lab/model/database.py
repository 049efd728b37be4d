"""A database behind a service: a bounded pool of connections, queries that take time, connections that may leak."""

import asyncio
from math import exp
from random import Random

from foregate.lab.model.knob import Amount, Factor
from foregate.lab.model.pool import Pool

CONTENTION = 0.6  # a query takes up to this share longer when every connection works
LOCKS = 4.0  # a leaked connection idles in its transaction: its locks slow the others, up to so many times


class Database:
    """Queries are log-normal around `query_s`; `slow` is the brownout's handle, `leak_chance` the leak's."""

    def __init__(
        self, name: str, *, connections: int, wait_s: float, query_s: float, sigma: float, rng: Random
    ) -> None:
        self.name = name
        self.query_s = query_s
        self.sigma = sigma
        self.pool = Pool(name, connections, wait_s)
        self.slow = Factor()
        self.leak_chance = Amount()
        self._gauss = rng.gauss
        self._random = rng.random

    async def open(self) -> None:
        """Begin a transaction on a connection of the pool. Raises Saturated."""
        if not self.pool.try_take():
            await self.pool.take()

    async def query(self, weight: float = 1.0) -> None:
        """Run a query of `weight` times the ordinary cost on the connection that was opened."""
        pool = self.pool
        crowd = 1.0 + CONTENTION * (pool.taken - pool.leaked) / pool.size + LOCKS * pool.leaked / pool.size
        await asyncio.sleep(self.query_s * weight * exp(self.sigma * self._gauss(0.0, 1.0)) * self.slow.value * crowd)

    def close(self) -> None:
        """End the transaction. Under a connection leak some are forgotten instead of returned."""
        chance = self.leak_chance.value
        if chance and self._random() < chance:
            self.pool.leak()
        else:
            self.pool.give_back()
