"""kill -9 of ingest processes at random moments under load: what was acknowledged is stored, and once.

FOREGATE_KILLS=20 kills so often; the suite is content with three.
"""

import asyncio
import os
import random
import resource
from collections import Counter
from pathlib import Path

import msgspec
import pytest
import uvloop
from tests.process.ingest import SECRET, Ingesting, ingesting

from foregate.http1 import Client
from foregate.kernel.clock import SystemClock
from foregate.kernel.errors import ForegateError
from foregate.wire import TOPIC_EVENTS
from foregate.wire.event import decode_events

KILLS = int(os.environ.get("FOREGATE_KILLS", "3"))
CLOCK = SystemClock()
HEADERS = [(b"content-type", b"application/json"), (b"x-api-key", SECRET.encode())]
_RETRY_S = 0.02
_REST_S = 0.02  # between two posts of a sender: the processes that start again need the processor, too


class Senders:
    """Clients that send numbered events; some again and again under an id until they are acknowledged, some once."""

    def __init__(self, url: str, seed: int, key: str = SECRET) -> None:
        self._url = f"{url}/v1/telemetry"
        self._headers = [(b"content-type", b"application/json"), (b"x-api-key", key.encode())]
        self._chance = random.Random(seed)
        self._numbers = 0
        self.stopping = False
        self.sent: set[str] = set()
        self.acknowledged: Counter[str] = Counter()

    def post(self) -> list[str]:
        """Names of new events."""
        first, self._numbers = self._numbers, self._numbers + self._chance.choice((1, 1, 3, 20, 600))
        return [f"event-{number}" for number in range(first, self._numbers)]

    async def insist(self, client: Client, sender: int) -> None:
        while not self.stopping:
            names = self.post()
            while not await self._send(client, names, f"{sender}-{names[0]}"):
                await asyncio.sleep(_RETRY_S)
            await asyncio.sleep(_REST_S)

    async def once(self, client: Client) -> None:
        while not self.stopping:
            await self._send(client, self.post(), "")
            await asyncio.sleep(_REST_S)

    async def _send(self, client: Client, names: list[str], batch_id: str) -> bool:
        self.sent.update(names)
        now_s = CLOCK.now()
        body = msgspec.json.encode(
            [
                {
                    "time": now_s,
                    "service": f"s{n % 5}",
                    "path": "/",
                    "status": 200,
                    "latency_ms": 1,
                    "request_id": name,
                }
                for n, name in enumerate(names)
            ]
        )
        headers = [*self._headers, (b"idempotency-key", batch_id.encode())] if batch_id else self._headers
        try:
            answer = await client.request("POST", self._url, headers=headers, body=body)
            said = msgspec.json.decode(await answer.read())
        except ForegateError:
            return False
        if answer.status != 200:
            assert answer.status in (429, 503), said
            return False
        assert said["accepted"] + said["duplicates"] == len(names)
        self.acknowledged.update(names)
        return True


async def _killed_under_load(running: Ingesting, seed: int) -> Senders:
    senders, chance = Senders(running.url, seed), random.Random(seed)
    client = Client(CLOCK)
    tasks = [asyncio.ensure_future(senders.insist(client, at)) for at in range(4)]
    tasks += [asyncio.ensure_future(senders.once(client)) for _ in range(4)]
    for _ in range(KILLS):
        acknowledged = senders.acknowledged.total()
        while senders.acknowledged.total() < acknowledged + 100:
            await asyncio.sleep(0.01)
        await asyncio.sleep(chance.uniform(0.0, 0.15))
        await asyncio.to_thread(running.kill)
        await asyncio.to_thread(running.start)
    senders.stopping = True
    await asyncio.gather(*tasks)
    await client.close()
    return senders


@pytest.mark.timeout(60 + 20 * KILLS)
def test_after_kill_9_under_load_every_acknowledged_event_is_stored_once(tmp_path: Path) -> None:
    with ingesting(tmp_path, workers=2) as running:
        senders = uvloop.run(_killed_under_load(running, seed=KILLS))
        assert running.stop() == [0, 0]
        stored = Counter(event.request_id for event in running.stored(TOPIC_EVENTS, decode_events))
        lost = set(senders.acknowledged) - set(stored)
        assert not lost, f"{len(lost)} acknowledged events are not stored"
        assert not set(stored) - senders.sent
        assert {name: count for name, count in stored.items() if count != 1} == {}
        counted = running.counts()["events"]
        known = counted.received - counted.duplicate - counted.invalid - counted.shed
        # What was stored and not yet counted when a process was killed is at most what waited then.
        assert known <= stored.total()
        assert set(senders.acknowledged.values()) == {1}
        print(f"{KILLS} kills: {len(senders.acknowledged)} acknowledged, {stored.total()} stored, none lost")


def test_a_flood_does_not_make_memory_grow(tmp_path: Path) -> None:
    """64 senders of a megabyte each, as fast as they can, to a process that holds few items at a time."""
    item = {"time": CLOCK.now(), "service": "s", "path": "/", "status": 200, "latency_ms": 1, "ignored": "x" * 900}
    body = msgspec.json.encode([item] * 1_000)

    async def flood(url: str) -> Counter[int]:
        client, statuses = Client(CLOCK), Counter[int]()

        async def send() -> None:
            for _ in range(5):
                try:
                    answer = await client.request("POST", f"{url}/v1/telemetry", headers=HEADERS, body=body)
                    statuses[answer.status] += 1
                    await answer.read()
                except ForegateError:  # refused in the middle of the body
                    statuses[0] += 1

        await asyncio.gather(*(send() for _ in range(64)))
        await client.close()
        return statuses

    with ingesting(tmp_path, buffer_items_max=5_000) as running:
        before = running.rss_bytes()
        statuses = uvloop.run(flood(running.url))
        grown = running.rss_bytes() - before
        assert statuses[200] > 10
        assert set(statuses) <= {0, 200, 429}
        assert grown < 200_000_000, f"{grown / 1e6:.0f} MB more, {statuses}"
        stored = len(running.stored(TOPIC_EVENTS, decode_events))
        assert stored >= 1_000 * statuses[200]


def test_a_disk_that_takes_no_more_refuses_and_keeps_what_was_acknowledged(tmp_path: Path) -> None:
    """The process may not make a file larger than 3 MB: a write beyond it fails, as on a full disk."""

    def limits() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))

    chance = random.Random(1)

    async def until_full(url: str) -> tuple[list[str], int]:
        client, acknowledged, refused, number = Client(CLOCK), [], 0, 0
        while refused < 5 and number < 200:
            number += 1
            names = [f"{number}-{at}-{chance.getrandbits(512):x}"[:120] for at in range(400)]
            body = [
                {"time": CLOCK.now(), "service": "s", "path": "/", "status": 200, "latency_ms": 1, "request_id": name}
                for name in names
            ]
            data = msgspec.json.encode(body)
            answer = await client.request("POST", f"{url}/v1/telemetry", headers=HEADERS, body=data)
            await answer.read()
            if answer.status == 200:
                acknowledged += names
            else:
                assert answer.status == 503
                refused += 1
        await client.close()
        return acknowledged, refused

    with ingesting(tmp_path, limits=limits) as running:
        acknowledged, refused = uvloop.run(until_full(running.url))
        assert refused == 5
        assert acknowledged
        running.kill()
        stored = Counter(event.request_id for event in running.stored(TOPIC_EVENTS, decode_events))
        assert not set(acknowledged) - set(stored)
        assert set(stored.values()) == {1}
