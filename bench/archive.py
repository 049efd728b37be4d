"""Months of events, and how soon they answer: `python -m bench archive [--events N] [--days N] [--folder F] [--keep]`.

- N events (50 million) over 30 days into the archive and into windows: bytes per event, events per second of CPU;
- the dashboard's eight questions, and some that only single events can answer, cold and warm, while 10,000 events a
  second are taken in beside them by all of foregate on the same machine.

`--keep` leaves the data in the folder, and `--asked-only` takes what is there.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench import ingest
from bench.archive_ask import DASHBOARD
from bench.report import Goal, Outcome, finish, percentile, say
from foregate.app.paths import DataDir

EVENTS, DAYS = 50_000_000, 30
COLD_ROUNDS, WARM_ROUNDS = 5, 10
INGEST_PER_S, INGEST_BATCH = 10_000, 500
GOAL_COLD_MS, GOAL_WARM_MS = 300.0, 100.0


def load(data: DataDir, events: int, days: int) -> dict[str, float]:
    """Archive and windows, at the same time."""
    until_s = time.time() // 900 * 900
    data.create()
    begin_s = time.perf_counter()
    loading = {
        what: subprocess.Popen(
            [sys.executable, "-m", "bench.archive_load", what, str(data.root), str(events), str(days), str(until_s)],
            stdout=subprocess.PIPE,
        )
        for what in ("archive", "windows")
    }
    found: dict[str, float] = {}
    for what, process in loading.items():
        printed, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"{what} could not be loaded")
        found |= json.loads(printed)
    return found | {"load_seconds": time.perf_counter() - begin_s}


def ask(folder: Path, cold: int, warm: int) -> tuple[dict[str, dict[str, list[float]]], dict[str, float]]:
    """The questions' milliseconds, and how the intake was meanwhile."""
    with ingest.foregate(folder, beside=True) as server:
        assert server.data is not None
        argv = [sys.executable, "-m", "bench.archive_ask", str(server.data.root), str(cold), str(warm)]
        stop, rounds = threading.Event(), list[dict[str, float]]()

        def send() -> None:
            while not stop.is_set():
                rounds.append(ingest.paced(server, folder, INGEST_BATCH, INGEST_PER_S, 10.0))

        sending = threading.Thread(target=send)
        sending.start()
        time.sleep(5.0)
        try:
            done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True)
        finally:
            stop.set()
            sending.join()
    facts = {
        "intake_p99_ms": max(one["p99_ms"] for one in rounds),
        "intake_bad": sum(one["bad"] for one in rounds),
        "intake_events": sum(one["posts"] for one in rounds) * INGEST_BATCH,
        "rss_mb": rounds[-1]["rss_mb"],
    }
    return json.loads(done.stdout), facts


def _worst(times: dict[str, dict[str, list[float]]], how: str) -> float:
    """The p95 of the slowest of the dashboard's questions."""
    return max(percentile(times[what][how], 95) for what in DASHBOARD)


def _table(times: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    found = {}
    for what, by in times.items():
        found[what] = {f"{how}_p{at}_ms": percentile(by[how], at) for how in ("cold", "warm") for at in (50, 95)}
        say(f"{what:32} " + "  ".join(f"{name} {value:8.1f}" for name, value in found[what].items()))
    return found


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench archive", description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--folder", type=Path, help="for the data (some 6 GB); default: a temporary one")
    parser.add_argument("--keep", action="store_true", help="leave it there")
    parser.add_argument("--asked-only", action="store_true", help="ask what an earlier run has kept")
    parser.add_argument("--cold", type=int, default=COLD_ROUNDS)
    parser.add_argument("--warm", type=int, default=WARM_ROUNDS)
    options = parser.parse_args(argv)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="foregate-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    outcome = Outcome()
    try:
        if not options.asked_only:
            outcome.facts["load"] = load(DataDir(folder / "data"), options.events, options.days)
            say("  ".join(f"{name} {value:,.1f}" for name, value in outcome.facts["load"].items()))
        times, intake = ask(folder, options.cold, options.warm)
        outcome.facts |= {"questions": _table(times), "intake": intake}
        if intake["intake_bad"]:
            outcome.invalid.append(f"{intake['intake_bad']:.0f} posts were not taken in meanwhile")
        outcome.goals += [
            Goal("p95 of the dashboard's slowest question, cold", _worst(times, "cold"), most=GOAL_COLD_MS, unit=" ms"),
            Goal("p95 of the dashboard's slowest question, warm", _worst(times, "warm"), most=GOAL_WARM_MS, unit=" ms"),
        ]
    finally:
        if not options.keep and not options.asked_only:
            shutil.rmtree(folder, ignore_errors=True)
    return finish("archive", outcome)
