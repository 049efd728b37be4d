"""kill -9 of a real process that writes events, at random moments: count what is on the bus afterwards."""

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from foregate.adapters.embedded.blocks import open_blocks
from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.adapters.embedded.courier import Courier, recover
from foregate.kernel.clock import SystemClock
from foregate.ports.blocks import Block
from foregate.wire import TOPIC_EVENTS
from foregate.wire.event import decode_events

ROUNDS = 12
ROOM = 10_000_000  # numbers per round
ROOT = Path(__file__).parents[2]


def start(tmp_path: Path, counters: Block, first: int) -> subprocess.Popen[bytes]:
    """Start a writer and wait for its first acknowledged event."""
    command = [sys.executable, "-m", "tests.adapters.kill_writer"]
    places = [tmp_path / "spool" / "w3", tmp_path / "counters.bin", first]
    writer = subprocess.Popen([*command, *map(str, places)], cwd=ROOT)
    deadline_s = time.monotonic() + 60
    while counters.total(0) < first:
        assert writer.poll() is None, "the writer ended by itself"
        assert time.monotonic() < deadline_s
        time.sleep(0.002)
    return writer


def numbers_on_bus(path: Path) -> Counter[int]:
    bus = EmbeddedBus(path, SystemClock())
    try:
        recover(path.parent / "spool", bus)
        found: Counter[int] = Counter()
        after = -1
        while batches := bus.read(TOPIC_EVENTS, 3, after, 100):
            after = batches[-1].offset
            found.update(int(one.request_id) for batch in batches for one in decode_events(batch.payload))
        return found
    finally:
        bus.close()


def test_no_acknowledged_event_is_missing_or_double_after_kill_9(tmp_path: Path) -> None:
    chance = random.Random(20)
    blocks = open_blocks(tmp_path / "counters.bin", 1, 0)
    (counters,) = blocks.claim([("writer", 2)])
    bus = EmbeddedBus(tmp_path / "bus.sqlite", SystemClock())
    expected: list[tuple[int, int, int]] = []
    for number in range(1, ROUNDS + 1):
        first = number * ROOM
        writer = start(tmp_path, counters, first)
        courier = Courier(tmp_path / "spool")
        for _ in range(chance.randrange(4)):  # it reads what is being written, and may be gone at any moment as well
            courier.move(bus)
            time.sleep(chance.random() * 0.04)
        courier.close()
        time.sleep(chance.random() * 0.05)
        writer.kill()
        assert writer.wait(60) == -9
        expected.append((first, int(counters.total(0)), int(counters.total(1))))
    blocks.close()
    bus.close()

    found = numbers_on_bus(tmp_path / "bus.sqlite")
    assert set(found.values()) == {1}, "an event is on the bus twice"
    for first, acknowledged, tried in expected:
        of_round = {number for number in found if first <= number < first + ROOM}
        # The one event that was being put at the moment of death may be there or not; all acknowledged ones are.
        assert of_round - {tried} == set(range(first, acknowledged + 1)) - {tried}
        assert acknowledged in of_round
    assert len(found) > 5_000, "the writers hardly wrote: nothing was shown"
