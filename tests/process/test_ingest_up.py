"""`foregate up` with keys for telemetry: it listens, follows its keys, and the windows hold what was acknowledged.

FOREGATE_KILLS=20 kills intake and analyzer so often; the suite is content with one, for the analyzer takes its time.
"""

import asyncio
import json
import os
import random
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
SECRET_LINE = "secret: '${env:FOREGATE_TEST_KEY}'"
OTHER_HASH = "hmac-sha256:" + "0" * 64
SERVICES = """
telemetry:
  ingest_keys:
    - {{name: sender, secret: '${{env:FOREGATE_TEST_KEY}}', environment: staging}}
services: {{intake: {{targets: ["http://127.0.0.1:{port}"], protocol: h2}}}}
routes: [{{name: telemetry, path: /v1, service: intake, auth: none}}]
"""


@dataclass
class Taking:
    """A whole foregate, and where it takes telemetry in."""

    foregate: Foregate
    url: str
    file: Path


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taking]:
    folder, (port,) = tmp_path_factory.mktemp("up"), free_ports(1)
    with foregate(folder, SERVICES.format(port=port), workers=1, listen=f", ingest: [127.0.0.1:{port}]") as up:
        yield Taking(up, f"http://127.0.0.1:{port}", folder / "foregate.yaml")


def post(url: str, events: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/telemetry", json.dumps(events).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def event(**more: Any) -> dict[str, Any]:
    said = {"time": time.time(), "service": "elsewhere", "path": "/users/42", "method": "GET", "status": 200}
    return {**said, "latency_ms": 5, **more}


def until(what: str, look: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"{what} did not come to be"
        time.sleep(0.1)


def requests_in_windows(of: Foregate, asked: str = "") -> int:
    answer = of.api(f"/metrics?span_s=60&range_s=3600{asked}")
    return int(sum(point["requests"] for series in answer["series"] for point in series["points"]))


def test_events_that_are_sent_directly_or_through_the_gateway_are_in_the_windows(running: Taking) -> None:
    up = running.foregate
    assert up.children()["ingest-0"]["state"] == "running"
    status, said = post(running.url, [event(), {"bad": 1}])
    assert (status, said["accepted"], said["invalid"]) == (200, 1, 1)
    status, said = post(up.gateway, [event(path="/users/43")])  # over HTTP/2 to the intake
    assert (status, said["accepted"]) == (200, 1)
    asked = "&service=elsewhere&route=/users/%7Bid%7D"
    until("both in the windows of one route", lambda: requests_in_windows(up, asked) == 2)
    entities = [one["entity"] for one in up.api(f"/metrics?span_s=60{asked}")["series"]]
    assert {(one["route"], one["environment"]) for one in entities} == {("/users/{id}", "staging")}


def test_a_key_that_is_replaced_is_refused_without_a_restart(running: Taking) -> None:
    before = running.file.read_text()
    began_s = time.monotonic()
    running.file.write_text(before.replace(SECRET_LINE, f"hash: '{OTHER_HASH}'"))
    until("the refusal", lambda: post(running.url, [event()])[0] == 401)
    assert time.monotonic() - began_s < 5.0
    running.file.write_text(before)
    until("the key", lambda: post(running.url, [event()])[0] == 200)


async def killed_under_load(of: Taking) -> Senders:
    senders, chance = Senders(of.url, seed=KILLS, key=KEY), random.Random(KILLS)
    client = Client(CLOCK)
    tasks = [asyncio.ensure_future(senders.insist(client, at)) for at in range(2)]
    for number in range(KILLS):
        acknowledged = senders.acknowledged.total()
        while senders.acknowledged.total() < acknowledged + 500:
            await asyncio.sleep(0.01)
        await asyncio.sleep(chance.uniform(0.0, 1.5))
        for name in (BOTH, BOTH[:1], BOTH[1:])[number % 3]:
            await asyncio.to_thread(of.foregate.kill, name)
    senders.stopping = True
    await asyncio.gather(*tasks)
    await client.close()
    return senders


@pytest.mark.timeout(120 + 40 * KILLS)
def test_windows_hold_each_acknowledged_event_once_after_kill_9_of_intake_and_analyzer(running: Taking) -> None:
    senders = uvloop.run(killed_under_load(running))
    stored = events_on_bus(running.foregate)
    numbered = Counter(name for name in stored.elements() if name.startswith("event-"))
    assert set(numbered.values()) == {1}
    assert set(numbered) == set(senders.acknowledged)
    # Whatever else is on the bus by now, what went through the gateway, too, is in the windows as often as there.
    until("all of it in the windows", lambda: requests_in_windows(running.foregate) >= stored.total())
    assert requests_in_windows(running.foregate) == events_on_bus(running.foregate).total()
    print(f"{KILLS} kills: {len(numbered)} events acknowledged, on the bus, and in the windows")


def events_on_bus(of: Foregate) -> Counter[str]:
    """How often each event is on the bus, by the id of its request."""
    bus = EmbeddedBus(of.data / "bus.sqlite", CLOCK)
    batches = [batch for at in range(bus.partitions) for batch in bus.read(TOPIC_EVENTS, at, -1, 1_000_000)]
    bus.close()
    return Counter(event.request_id for batch in batches for event in decode_events(batch.payload))
