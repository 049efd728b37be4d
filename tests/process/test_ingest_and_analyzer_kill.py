"""kill -9 of intake and analyzer together under load: the windows hold what is on the bus, and that is what was
acknowledged.

FOREGATE_KILLS=20 kills so often; the suite is content with one, for the analyzer takes its time to be back.
"""

import asyncio
import os
import random
import time
from collections import Counter
from pathlib import Path

import pytest
import uvloop
from tests.process.harness import KEY, Foregate, foregate
from tests.process.test_ingest_kill import Senders

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.app.listeners import free_ports
from foregate.http1 import Client
from foregate.kernel.clock import SystemClock
from foregate.wire import TOPIC_EVENTS
from foregate.wire.event import decode_events

KILLS = int(os.environ.get("FOREGATE_KILLS", "1"))
BOTH = ("ingest-0", "analyzer")
CLOCK = SystemClock()
SETTLE_S = 60.0
KEYS = "telemetry: {ingest_keys: [{name: sender, secret: '${env:FOREGATE_TEST_KEY}'}]}"


async def killed_under_load(running: Foregate, url: str) -> Senders:
    senders, chance = Senders(url, seed=KILLS, key=KEY), random.Random(KILLS)
    client = Client(CLOCK)
    tasks = [asyncio.ensure_future(senders.insist(client, at)) for at in range(2)]
    for number in range(KILLS):
        acknowledged = senders.acknowledged.total()
        while senders.acknowledged.total() < acknowledged + 500:
            await asyncio.sleep(0.01)
        await asyncio.sleep(chance.uniform(0.0, 1.5))
        for name in (BOTH[:1], BOTH[1:], BOTH)[2 - number % 3]:
            await asyncio.to_thread(running.kill, name)
    senders.stopping = True
    await asyncio.gather(*tasks)
    await client.close()
    return senders


def on_bus(running: Foregate) -> Counter[str]:
    """How often each event is on the bus, by its name."""
    bus = EmbeddedBus(running.data / "bus.sqlite", CLOCK)
    batches = [batch for at in range(bus.partitions) for batch in bus.read(TOPIC_EVENTS, at, -1, 1_000_000)]
    bus.close()
    return Counter(event.request_id for batch in batches for event in decode_events(batch.payload))


def in_windows(running: Foregate) -> int:
    """Requests in the closed and open minutes of all services."""
    answer = running.api("/metrics?span_s=60&range_s=3600")
    return sum(point["requests"] for series in answer["series"] for point in series["points"])


@pytest.mark.timeout(120 + 40 * KILLS)
def test_windows_hold_each_acknowledged_event_once_after_kill_9_of_intake_and_analyzer(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with foregate(tmp_path, KEYS, workers=1, listen=f", ingest: [127.0.0.1:{port}]") as running:
        senders = uvloop.run(killed_under_load(running, f"http://127.0.0.1:{port}"))
        stored = on_bus(running)
        assert set(stored.values()) == {1}
        assert set(stored) == set(senders.acknowledged)
        until = time.monotonic() + SETTLE_S
        while (found := in_windows(running)) < len(stored) and time.monotonic() < until:
            time.sleep(0.2)
        assert found == len(stored)
        time.sleep(1.0)
        assert in_windows(running) == len(stored)
        print(f"{KILLS} kills: {len(stored)} events acknowledged, on the bus, and in the windows")
