"""Users: profiles read through a cache from the user store."""

import asyncio

from foregate.lab.model.call import Answer, Call, NotThere
from foregate.lab.model.instance import Instance
from foregate.lab.model.service import Service

USERS = 2_000  # ids 1 to USERS exist


class Users(Service):
    """GET /users/{id} reads a profile, PUT /users/{id} changes it."""

    async def work(self, call: Call, instance: Instance) -> Answer:
        number = _number(call.path)
        cached = instance.cache.get(number) if call.method == "GET" else None
        if cached is not None:
            await asyncio.sleep(self.spread(self.profile.work_s, instance))
            return Answer(200, cached)
        await asyncio.sleep(self.spread(self.profile.work_s, instance))
        await self.database.open()
        try:
            await self.database.query(1.0 if call.method == "GET" else 1.5)
        finally:
            self.database.close()
        if not 1 <= number <= USERS:
            raise NotThere(f"no user {number}")
        body = b'{"id":%d,"name":"user %d","plan":"%s"}' % (number, number, (b"free", b"pro", b"team")[number % 3])
        instance.cache.put(number, body)
        return Answer(200, body)


def _number(path: str) -> int:
    """The id at the end of the path; 0 for none."""
    tail = path.rsplit("/", 1)[-1]
    return int(tail) if tail.isdigit() and len(tail) < 10 else 0
