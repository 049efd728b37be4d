"""kill -9 of each child under load: traffic goes on, and no event of an answered request is missing or double."""

import asyncio
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.process.harness import KEY, Foregate, every_event, foregate, upstream

from foregate.adapters.embedded.archive.reader import EmbeddedArchiveReader
from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.http1 import Client
from foregate.kernel.clock import SystemClock
from foregate.kernel.errors import ForegateError
from foregate.wire import TOPIC_EVENTS
from foregate.wire.ask import Filter
from foregate.wire.event import decode_events

CLIENTS = 8
PAUSE_S = 0.02  # per client between requests: about 300 requests/s altogether


@dataclass
class Load:
    """Requests of several clients until `stop`; each one's id is its own, so that events can be matched one to one."""

    url: str
    answered: list[str] = field(default_factory=list)  # ids of requests whose whole answer came, status 200
    broken: int = 0  # connection lost: the worker was killed while it held the request
    strange: Counter[int] = field(default_factory=Counter)
    longest_gap_s: float = 0.0
    stop: bool = False

    async def run(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(CLIENTS)))

    async def _client(self, number: int) -> None:
        client = Client(SystemClock())
        last_s = time.monotonic()
        sequence = 0
        while not self.stop:
            sequence += 1
            name = f"load-{number}-{sequence}"
            headers = [(b"x-api-key", KEY.encode()), (b"x-request-id", name.encode())]
            try:
                answer = await client.request("GET", f"{self.url}/a/x", headers=headers)
                await answer.read()
            except (ForegateError, OSError):
                self.broken += 1
            else:
                if answer.status == 200:
                    self.answered.append(name)
                    self.longest_gap_s = max(self.longest_gap_s, time.monotonic() - last_s)
                    last_s = time.monotonic()
                else:
                    self.strange[answer.status] += 1
            await asyncio.sleep(PAUSE_S)
        await client.close()


async def kill_all_under_load(running: Foregate) -> Load:
    load = Load(running.gateway)
    running_load = asyncio.get_running_loop().create_task(load.run())
    await asyncio.sleep(1.5)
    for name in ("gateway-0", "analyzer", "courier", "keeper", "gateway-1", "control", "gateway-0", "analyzer"):
        killed = await asyncio.to_thread(running.kill, name)
        await asyncio.to_thread(running.wait_until_back, name, killed)  # else nobody serves when its fellow is killed
        await asyncio.sleep(0.5)
    load.stop = True
    await running_load
    return load


def events_on_bus(data: Path) -> Counter[str]:
    with closing(EmbeddedBus(data / "bus.sqlite", SystemClock())) as bus:
        batches = [one for at in range(bus.partitions) for one in bus.read(TOPIC_EVENTS, at, -1, 100_000)]
    events = (event for batch in batches for event in decode_events(batch.payload))
    return Counter(event.request_id for event in events if event.status == 200)


def events_in_archive(data: Path) -> Counter[str]:
    with closing(EmbeddedArchiveReader(data / "archive")) as archive:
        return Counter(row["request_id"] for row in every_event(archive, Filter("status", "eq", ("200",))))


def counted(running: Foregate) -> int:
    """-1 while control is not back yet."""
    try:
        answer = running.api("/metrics?range_s=900&span_s=60")
    except OSError:
        return -1
    return sum(point["requests"] for point in answer["total"])


def test_kill_9_of_each_child_under_load_loses_no_event_and_traffic_goes_on(tmp_path: Path) -> None:
    with upstream() as url:
        services = f"services: {{a: {{targets: ['{url}']}}}}\nroutes: [{{path: /a, service: a}}]"
        with foregate(tmp_path, services, workers=2) as running:
            load = asyncio.run(kill_all_under_load(running))
            assert len(load.answered) > 500
            assert not load.strange, load.strange
            assert load.broken < 100, "only what a killed worker held may break"
            assert load.longest_gap_s < 10

            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                on_bus = events_on_bus(running.data)
                if set(load.answered) <= set(on_bus):
                    break
                time.sleep(0.5)
            missing = set(load.answered) - set(on_bus)
            assert not missing, f"{len(missing)} of {len(load.answered)} answered requests have no event"
            assert max(on_bus.values()) == 1, "an event was replayed twice"

            total = sum(events_on_bus(running.data).values())
            while counted(running) < total and time.monotonic() < deadline:
                time.sleep(0.5)
            assert counted(running) == total, "the windows count every event exactly once"
            on_bus = events_on_bus(running.data)
            while (archived := events_in_archive(running.data)) != on_bus and time.monotonic() < deadline:
                time.sleep(0.5)
            assert archived == on_bus, "the archive has every event exactly once"
