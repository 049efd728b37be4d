"""How long appends to the bus take while three processes write it: `python -m bench bus [--seconds 6 --rounds 4]`.

Ingest commits 100 times a second: a batch of 500 events, or 30 posts of one event each with their ids. Beside it the
courier appends four batches every 200 ms, and the analyzer reads all, publishes and expires. Each round measures every
variant once, so that what else the machine does falls on all of them; figures are medians over the rounds.
"""

import argparse
import json
import multiprocessing
import random
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec

from bench.telemetry import events
from foregate.adapters.embedded.bus import EmbeddedBus, file, log
from foregate.kernel.clock import SystemClock
from foregate.ports.bus import Append

COMMITS_PER_S = 100
EVENTS = 500
SINGLES = 30
VARIANTS = {
    "as it is": "",
    "payloads not packed": "unpacked",
    "SQLite's own waiting": "waiting",
    "log of 1,000 pages": "checkpoints",
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench bus", description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--rounds", type=int, default=4)
    given = parser.parse_args(arguments)
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(given.rounds):
        for name, variant in VARIANTS.items():
            found.setdefault(f"batches of {EVENTS}, {name}", []).append(measure(variant, EVENTS, given.seconds))
        found.setdefault(f"{SINGLES} posts a commit, as it is", []).append(measure("", SINGLES, given.seconds))
    figures = {
        name: {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        for name, rounds in found.items()
    }
    for name, of in figures.items():
        print(f"{name:40}", "  ".join(f"{key} {value:.1f}" for key, value in of.items()))
    out = Path("bench/out/bus.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(figures, indent=2))
    return 0


def measure(variant: str, items: int, seconds: float) -> dict[str, float]:
    """Milliseconds an append took, and what ingest's process spent per commit."""
    with tempfile.TemporaryDirectory(prefix="foregate-bench-") as folder:
        path = Path(folder) / "bus.sqlite"
        opened(path, "").close()
        answers: multiprocessing.Queue[tuple[str, list[float], float]] = multiprocessing.Queue()
        roles = (ingest, courier, analyzer)
        processes = [
            multiprocessing.Process(target=role, args=(path, variant, items, seconds, answers)) for role in roles
        ]
        for process in processes:
            process.start()
        given = {name: (sorted(times), cpu_s) for name, times, cpu_s in (answers.get() for _ in roles)}
        for process in processes:
            process.join()
        times, cpu_s = given["ingest"]
        return {
            "p50": 1_000 * times[len(times) // 2],
            "p99": 1_000 * times[int(len(times) * 0.99)],
            "max": 1_000 * times[-1],
            "courier's p99": 1_000 * given["courier"][0][int(len(given["courier"][0]) * 0.99)],
            "CPU ms per commit": 1_000 * cpu_s / len(times),
            "MB of file": path.stat().st_size / 1e6,
        }


def opened(path: Path, variant: str) -> EmbeddedBus:
    """A handle as the variant has it, for the rest of the process."""
    if variant == "unpacked":
        patch.object(log, "packed", lambda payload: (payload, False)).start()
    if variant == "waiting":
        patch.object(file, "_begin", lambda db: db.execute("BEGIN IMMEDIATE")).start()
    if variant == "checkpoints":
        patch.object(file, "_CHECKPOINT_PAGES", 1_000).start()
    return EmbeddedBus(path, SystemClock())


def ingest(path: Path, variant: str, items: int, seconds: float, answers: Any) -> None:
    each = 1 if items == SINGLES else items
    payloads = [_payload(each, number) for number in range(20)]
    times: list[float] = []
    with closing(opened(path, variant)) as bus:
        began, cpu_s = time.monotonic(), time.process_time()
        number = 0
        while (now := time.monotonic()) < began + seconds:
            group = [
                Append("events", number % 4, payloads[(number + at) % 20], each, once=f"{number}/{at}")
                for at in range(items // each)
            ]
            bus.append_all(group)
            times.append(time.monotonic() - now)
            number += 1
            time.sleep(max(0.0, began + number / COMMITS_PER_S - time.monotonic()))
        answers.put(("ingest", times, time.process_time() - cpu_s))


def courier(path: Path, variant: str, _: int, seconds: float, answers: Any) -> None:
    payload, times = _payload(100, 7), []
    with closing(opened(path, variant)) as bus:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for _ in range(4):
                began = time.monotonic()
                bus.append("events", 0, payload, 100, producer="courier", sequence=len(times) + 1)
                times.append(time.monotonic() - began)
            time.sleep(0.2)
    answers.put(("courier", times, 0.0))


def analyzer(path: Path, variant: str, _: int, seconds: float, answers: Any) -> None:
    offsets, times = dict.fromkeys(range(4), -1), []
    with closing(opened(path, variant)) as bus:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for partition, after in offsets.items():
                for batch in bus.read("events", partition, after, 16):
                    offsets[partition] = batch.offset
            began = time.monotonic()
            bus.append("risks", 0, bytes(5_000), 10, producer="analyzer", sequence=len(times) + 1)
            times.append(time.monotonic() - began)
            if len(times) % 10 == 0:
                bus.expire("events", time.time() - 3)
            time.sleep(0.1)
    answers.put(("analyzer", times, 0.0))


def _payload(count: int, seed: int) -> bytes:
    chance = random.Random(seed)
    return msgspec.msgpack.encode(events(count, chance.randrange(5, 50), 1.0))
