"""kill -9 of a real consumer process while events of now and of the past flow: windows, facets, hours and days equal a
recomputation from the raw bus. `FOREGATE_KILLS=20` for more of it than the suite has time for."""

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.telemetry.making import T0, traffic
from tests.telemetry.world import Stores, assert_roll_ups_equal_recomputation, assert_windows_equal_recomputation

from foregate.kernel.clock import ManualClock
from foregate.wire import TOPIC_EVENTS, TOPIC_HISTORY

KILLS = int(os.environ.get("FOREGATE_KILLS", "3"))
BATCHES = 100 * KILLS
NOW_S = T0 + 3_000
ROOT = Path(__file__).parents[2]


def publish(folder: Path, stop: threading.Event) -> None:
    """A worker that appends a batch of 20 events every few milliseconds, every third one of the past."""
    stores = Stores(folder, ManualClock(NOW_S))
    now = traffic(seed=9, count=20 * BATCHES, seconds=2_000, entities=10)
    past = traffic(seed=8, count=20 * BATCHES, seconds=5_000, entities=10, start_s=NOW_S - 7_000)
    for number in range(BATCHES):
        topic, events = (TOPIC_HISTORY, past) if number % 3 == 0 else (TOPIC_EVENTS, now)
        stores.publish(events[20 * number : 20 * number + 20], number % 4, topic)
        if not stop.is_set():
            time.sleep(0.006)
    stores.close()


def live_and_die(folder: Path, life_s: float) -> None:
    ready = folder / "ready"
    ready.unlink(missing_ok=True)
    consumer = subprocess.Popen([sys.executable, "-m", "tests.telemetry.kill_consumer", str(folder)], cwd=ROOT)
    deadline_s = time.monotonic() + 60
    while not ready.exists():
        assert consumer.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.002)
    time.sleep(life_s)
    consumer.kill()
    assert consumer.wait(60) == -9


@pytest.mark.timeout(60 + 20 * KILLS)
def test_windows_equal_recomputation_after_kill_9_of_the_consumer(tmp_path: Path) -> None:
    chance = random.Random(21)
    stores = Stores(tmp_path, ManualClock(NOW_S))
    stop = threading.Event()
    worker = threading.Thread(target=publish, args=(tmp_path, stop))
    worker.start()
    progress = []
    try:
        for _ in range(KILLS):
            live_and_die(tmp_path, 0.1 + chance.random() * 0.7)
            progress.append(stores.series.counts().get("accepted", 0))
    finally:
        stop.set()
        worker.join()
    last = stores.consumer()
    while last.step():
        pass
    stores.clock.advance(100.0)
    while last.roll_up():
        stores.clock.advance(100.0)
    assert stores.series.counts() == {"accepted": 20 * BATCHES}
    assert_windows_equal_recomputation(stores)
    assert_roll_ups_equal_recomputation(stores)
    assert len(set(progress)) > KILLS // 3, "the consumers hardly worked: nothing was shown"
    stores.close()
