"""kill -9 of intake, analyzer and both, at random moments under load: what was acknowledged is stored, once, and
the windows are what a recomputation from the raw events gives.

Three kills in the suite; `FOREGATE_KILLS=20` (of each) for the long run.
"""

import asyncio
import json
import os
import random
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.process.harness import KEY, Foregate, every_event, foregate

from foregate.adapters.embedded.archive.reader import EmbeddedArchiveReader
from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.app.listeners import free_ports
from foregate.http1 import Client
from foregate.kernel.clock import SystemClock
from foregate.kernel.errors import ForegateError
from foregate.wire import TOPIC_EVENTS
from foregate.wire.event import decode_events

KILLS = int(os.environ.get("FOREGATE_KILLS", "1"))  # of each: intake, analyzer, both
SERVICES = "telemetry: {ingest_keys: [{name: sender, secret: '${env:FOREGATE_TEST_KEY}'}]}"
CLIENTS = 4
ITEMS = 50
ROUTES = 5
WAIT_S = 60.0


@dataclass
class Senders:
    """Batches of several clients until `stop`; each is sent under its id until it is acknowledged."""

    url: str
    acknowledged: Counter[str] = field(default_factory=Counter)  # request ids
    retries: int = 0
    last: str = ""  # answer or failure
    stop: bool = False

    async def run(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(CLIENTS)))

    async def _client(self, number: int) -> None:
        client = Client(SystemClock())
        chance = random.Random(number)
        batch = 0
        while not self.stop:
            batch += 1
            names = [f"{number}-{batch}-{item}" for item in range(ITEMS)]
            body = json.dumps([_item(name, chance) for name in names]).encode()
            deadline = time.monotonic() + WAIT_S
            while not await self._sent(client, f"b-{number}-{batch}", body):
                assert time.monotonic() < deadline, f"a batch is not taken: {self.last}"
                self.retries += 1
                await asyncio.sleep(0.05)
            self.acknowledged.update(names)
            await asyncio.sleep(0.01)
        await client.close()

    async def _sent(self, client: Client, batch: str, body: bytes) -> bool:
        headers = [
            (b"authorization", f"Bearer {KEY}".encode()),
            (b"content-type", b"application/json"),
            (b"idempotency-key", batch.encode()),
        ]
        try:
            answer = await client.request("POST", f"{self.url}/v1/telemetry", headers=headers, body=body)
            told = json.loads(await answer.read())
        except (ForegateError, OSError, ValueError) as error:
            self.last = repr(error)
            return False
        self.last = f"{answer.status} {told}"
        assert answer.status in (200, 202, 429, 503), (answer.status, told)
        assert answer.status in (429, 503) or not told.get("invalid"), told
        return answer.status in (200, 202)


def _item(name: str, chance: random.Random) -> dict[str, object]:
    return {
        "time": time.time(),
        "service": "shop",
        "route": f"r{chance.randrange(ROUTES)}",
        "method": "GET",
        "status": 500 if chance.random() < 0.1 else 200,
        "latency_ms": round(chance.uniform(1, 100), 3),
        "request_id": name,
    }


async def kill_under_load(running: Foregate, url: str) -> Senders:
    senders, chance = Senders(url), random.Random(20_261_121)
    sending = asyncio.get_running_loop().create_task(senders.run())
    victims = [("ingest-0",), ("analyzer",), ("ingest-0", "analyzer")] * KILLS
    for names in victims:
        await asyncio.sleep(chance.uniform(0.3, 1.5))
        before = {name: await asyncio.to_thread(running.kill, name) for name in names}
        for name, pid in before.items():
            deadline = time.monotonic() + WAIT_S
            while await asyncio.to_thread(running.pid, name) == pid:
                assert time.monotonic() < deadline, f"{name} was not replaced:\n{running.log.read_text()[-3000:]}"
                await asyncio.sleep(0.05)
    await asyncio.sleep(1.0)
    senders.stop = True
    await sending
    return senders


def stored_events(data: Path) -> tuple[Counter[str], Counter[tuple[str, int]], Counter[tuple[str, int]]]:
    """Request ids on the bus; and of them requests and failures by (route, minute)."""
    ids: Counter[str] = Counter()
    requests: Counter[tuple[str, int]] = Counter()
    failures: Counter[tuple[str, int]] = Counter()
    with closing(EmbeddedBus(data / "bus.sqlite", SystemClock())) as bus:
        for partition in range(bus.partitions):
            for batch in bus.read(TOPIC_EVENTS, partition, -1, 1_000_000):
                for event in decode_events(batch.payload):
                    minute = (event.route, int(event.time_s) // 60 * 60)
                    ids[event.request_id] += 1
                    requests[minute] += 1
                    failures[minute] += event.failed
    return ids, requests, +failures


def windows(data: Path) -> tuple[Counter[tuple[str, int]], Counter[tuple[str, int]]]:
    requests: Counter[tuple[str, int]] = Counter()
    failures: Counter[tuple[str, int]] = Counter()
    with closing(EmbeddedSeries(data / "series.sqlite")) as series:
        for window in series.scan(60, 0.0, 1e11):
            requests[window.entity.route, int(window.stats.start_s)] += window.stats.requests
            failures[window.entity.route, int(window.stats.start_s)] += window.stats.errors
    return requests, +failures


def archived(data: Path, expected: int) -> Counter[str]:
    """Request ids in the archive, once it has that many."""
    deadline = time.monotonic() + 30
    while True:
        with closing(EmbeddedArchiveReader(data / "archive")) as archive:
            found = Counter(str(row["request_id"]) for row in every_event(archive))
        if found.total() >= expected or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


@pytest.mark.timeout(120 + 60 * KILLS)
def test_what_was_acknowledged_is_stored_once_and_windows_are_as_recomputed(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with foregate(tmp_path, SERVICES, workers=1, listen=f", ingest: ['127.0.0.1:{port}']") as running:
        senders = asyncio.run(kill_under_load(running, f"http://127.0.0.1:{port}"))
        deadline = time.monotonic() + 30
        while (lag := running.api("/status")["lag_events"]) != 0 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert lag == 0
        time.sleep(1.0)  # the step that has read them stores its windows
        ids, requests, failures = stored_events(running.data)
        assert ids == senders.acknowledged  # all of it, and each once
        assert windows(running.data) == (requests, failures)
        assert archived(running.data, ids.total()) == ids
        with closing(sqlite3.connect(running.data / "series.sqlite")) as db:
            counted = dict(db.execute("SELECT outcome, items FROM counts").fetchall())
        assert counted["accepted"] == ids.total()
    assert senders.retries > 0 or KILLS == 1  # the kills were felt
    print(
        f"{len(senders.acknowledged)} events acknowledged over {3 * KILLS} kills, {senders.retries} batches sent again"
    )
