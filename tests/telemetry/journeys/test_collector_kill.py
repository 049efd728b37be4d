"""kill -9 of a real collector while spans flow: every acknowledged span ends once, every call counts once."""

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
from tests.telemetry.journeys.kill_collector import SETTINGS
from tests.telemetry.journeys.making import call, span
from tests.telemetry.journeys.rig import Rig
from tests.telemetry.making import T0

from foregate.kernel.clock import ManualClock, SystemClock
from foregate.telemetry.journeys import Query
from foregate.wire.journey import JourneyAsk
from foregate.wire.span import Span

KILLS = int(os.environ.get("KILLS", "3"))
TRACES = 200 * KILLS
ROOT = Path(__file__).parents[3]


def trace(number: int) -> list[Span]:
    made = [span("a", kind="server", end_ms=50), *call("ask", "a", 10, 40, "stock"), span("in", "a", 41, 45)]
    return [msgspec.structs.replace(one, trace_id=f"{number + 1:032x}") for one in made]


def publish(folder: Path, stop: threading.Event) -> None:
    """Two partitions; of every trace one half is in either."""
    rig = Rig(folder, SystemClock(), SETTINGS)
    for number in range(TRACES):
        rig.send(trace(number)[:2], partition=number % 2)
        rig.send(trace(number)[2:], partition=(number + 1) % 2)
        if not stop.is_set():
            time.sleep(0.003)
    rig.close()


def live_and_die(folder: Path, life_s: float) -> None:
    ready = folder / "ready"
    ready.unlink(missing_ok=True)
    module = "tests.telemetry.journeys.kill_collector"
    collector = subprocess.Popen([sys.executable, "-m", module, str(folder)], cwd=ROOT)
    deadline_s = time.monotonic() + 60
    while not ready.exists():
        assert collector.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.002)
    time.sleep(life_s)
    collector.kill()
    assert collector.wait(60) == -9


def test_no_span_is_lost_and_no_call_counted_twice_by_kill_9(tmp_path: Path) -> None:
    chance = random.Random(5)
    stop = threading.Event()
    sender = threading.Thread(target=publish, args=(tmp_path, stop))
    sender.start()
    progress = []
    try:
        for _ in range(KILLS):
            live_and_die(tmp_path, 0.35 + chance.random() * 0.4)
            watched = Rig(tmp_path, ManualClock(T0), SETTINGS)
            progress.append(sum(watched.store.offsets("spans").values()))
            watched.close()
    finally:
        stop.set()
        sender.join()
    clock = ManualClock(T0)
    rig = Rig(tmp_path, clock, SETTINGS)
    rig.drain()
    clock.advance(10)
    rig.drain()
    counts = rig.store.counts()
    ended = counts["kept_spans"] + counts["dropped_spans"] + counts.get("late_dropped_spans", 0)
    assert ended == 4 * TRACES, counts
    edges = {edge.call.callee: edge.requests for edge in Query(rig.store).service_map("default", 0, 9e9)}
    assert edges == {"shop": TRACES, "stock": TRACES}
    kept = rig.store.search(JourneyAsk("default", 0, 9e9), 10_000).found
    assert all(one.spans == 4 for one in kept)
    assert len(kept) == counts["kept_traces"] > TRACES // 4
    assert len(set(progress)) > 1, "the collectors hardly worked: nothing was shown"
    rig.close()
