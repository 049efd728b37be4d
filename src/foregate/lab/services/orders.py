"""Orders: asks users who orders, has payments capture the money, and writes the order. What ails those ails this."""

import asyncio
from random import Random

from foregate.lab.model.call import Answer, Call
from foregate.lab.model.instance import Instance
from foregate.lab.model.peer import Peer
from foregate.lab.model.profile import Profile
from foregate.lab.model.service import Service
from foregate.lab.services.users import USERS

DEPENDENCY_TIMEOUT_S = 2.5


class Orders(Service):
    """POST /orders places one (users, then payments, then the order store); GET /orders/{id} reads one."""

    def __init__(self, profile: Profile, rate: float, rng: Random, *, users: Peer, payments: Peer) -> None:
        super().__init__(profile, rate, rng)
        self.users = users
        self.payments = payments
        self._placed = 0

    async def work(self, call: Call, instance: Instance) -> Answer:
        await asyncio.sleep(self.spread(self.profile.work_s, instance))
        buyer = 1 + self._placed % USERS
        await self.users.ask(Call("GET", f"/users/{buyer}"), DEPENDENCY_TIMEOUT_S)
        if call.method == "POST":
            await self.payments.ask(Call("POST", "/payments", b'{"amount":1999}'), DEPENDENCY_TIMEOUT_S)
        await self.database.open()
        try:
            await self.database.query(1.0 if call.method == "POST" else 0.6)
        finally:
            self.database.close()
        self._placed += 1
        status = 201 if call.method == "POST" else 200
        return Answer(status, b'{"id":"ord_%08d","user":%d,"status":"placed"}' % (self._placed, buyer))
