"""Payments: written to the ledger and captured at the card network, inside one transaction that holds a connection."""

import asyncio

from foregate.lab.model.call import Answer, Call
from foregate.lab.model.instance import Instance
from foregate.lab.model.service import Service


class Payments(Service):
    """POST /payments captures one; GET /payments/{id} reads it."""

    _captured = 0

    async def work(self, call: Call, instance: Instance) -> Answer:
        if call.method != "POST":
            return await self._read(call, instance)
        await asyncio.sleep(self.spread(self.profile.work_s, instance))
        await self.database.open()
        try:
            await self.database.query()
            paced_s = self.provider.charge(asyncio.get_running_loop().time(), 1.0)
            await asyncio.sleep(paced_s + self.spread(self.profile.provider_s, instance))
        finally:
            self.database.close()
        self._captured += 1
        return Answer(201, b'{"id":"pay_%08d","status":"captured"}' % self._captured)

    async def _read(self, call: Call, instance: Instance) -> Answer:
        await self.database.open()
        try:
            await self.database.query(0.8)
        finally:
            self.database.close()
        return Answer(200, b'{"id":"pay_%08d","status":"captured","amount":1999}' % (len(call.path) + self._captured))
