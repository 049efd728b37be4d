"""kill -9 of a real consumer process while events flow: windows equal a recomputation from the raw bus."""

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.telemetry.making import T0, traffic
from tests.telemetry.world import Stores, assert_windows_equal_recomputation

from foregate.kernel.clock import ManualClock

KILLS = 8
BATCHES = 600
ROOT = Path(__file__).parents[2]


def publish(folder: Path, stop: threading.Event) -> None:
    """A worker that appends a batch of 20 events every few milliseconds."""
    stores = Stores(folder, ManualClock(T0 + 3_000))
    events = traffic(seed=9, count=20 * BATCHES, seconds=2_000, entities=20)
    for number in range(BATCHES):
        stores.publish(events[20 * number : 20 * number + 20], partition=number % 4)
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


def test_windows_equal_recomputation_after_kill_9_of_the_consumer(tmp_path: Path) -> None:
    chance = random.Random(21)
    stores = Stores(tmp_path, ManualClock(T0 + 3_000))
    stop = threading.Event()
    worker = threading.Thread(target=publish, args=(tmp_path, stop))
    worker.start()
    progress = []
    try:
        for _ in range(KILLS):
            live_and_die(tmp_path, chance.random() * 0.25)
            progress.append(stores.series.counts().get("accepted", 0))
    finally:
        stop.set()
        worker.join()
    last = stores.consumer()
    while last.step():
        pass
    assert stores.series.counts() == {"accepted": 20 * BATCHES}
    assert_windows_equal_recomputation(stores)
    assert len(set(progress)) > KILLS // 2, "the consumers hardly worked: nothing was shown"
    stores.close()
