"""`reload`: a hundred configuration reloads and some kills of workers under load: what failed, how soon all is live.

A real `foregate up` with two workers. Each reload rewrites foregate.yaml with one route more; the route counts as live
when all of 16 connections, which the kernel has spread over the workers, are answered by it.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from bench.gateway import KEY
from bench.open_loop import Found, Plan, Sample, head, send
from bench.process import Running, free_port, start
from bench.report import Goal, Outcome, finish, percentile, say
from bench.upstream import start_python_upstream
from foregate.app.paths import DataDir
from foregate.kernel.secrets import hash_key

LIVE_MS_MAX = 50.0
WORKERS = 2
_CONNECTIONS = 16
_STREAMS = 40
_RATE = 400.0
_HEADERS = (("X-Api-Key", KEY),)
_LIVE_TIMEOUT_S = 5.0
_BETWEEN_S = 0.1
_KILL_GAP_S = 2.0


@dataclass
class Setup:
    """A running foregate, and how to change what it is told."""

    running: Running
    port: int
    file: Path
    document: Callable[[int], dict[str, Any]]
    data: DataDir

    def tell(self, routes: int) -> None:
        """Replace the file at once, as a good editor does."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(json.dumps(self.document(routes)))  # JSON is YAML
        fresh.replace(self.file)

    def worker_pids(self) -> list[int]:
        rows = json.loads(self.data.processes.read_text())
        return [row["pid"] for row in rows if row["name"].startswith("gateway") and row["pid"]]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench reload", description=__doc__)
    parser.add_argument("--reloads", type=int, default=100)
    parser.add_argument("--kills", type=int, default=4)
    given = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="foregate-bench-") as temporary:
        folder = Path(temporary)
        upstream = start_python_upstream(folder, upstream_port := free_port())
        try:
            setup = _start(folder, upstream_port)
            try:
                outcome = uvloop.run(_measure(setup, folder, given.reloads, given.kills))
            finally:
                setup.running.stop()
        finally:
            upstream.stop()
    return finish("reload", outcome)


def _start(folder: Path, upstream_port: int) -> Setup:
    port, console = free_port(), free_port()
    data = DataDir(folder / "data")
    data.create()
    hashed = hash_key(KEY, data.pepper())

    def document(routes: int) -> dict[str, Any]:
        paths = ["/x", "/stream", *[f"/new/{number}" for number in range(1, routes + 1)]]
        return {
            "listen": {"gateway": f"127.0.0.1:{port}", "console": f"127.0.0.1:{console}"},
            "services": {"bench": {"targets": [f"http://127.0.0.1:{upstream_port}"]}},
            "routes": [{"path": path, "service": "bench"} for path in paths],
            "keys": [{"name": "bench", "hash": hashed}],
        }

    file = folder / "foregate.yaml"
    file.write_text(json.dumps(document(0)))
    argv = [sys.executable, "-m", "foregate.app.cli", "up", "-c", str(file), "--data-dir", str(data.root)]
    running = start("up", [*argv, "--workers", str(WORKERS)], port, folder, wait_s=60.0)
    time.sleep(2.0)  # until the other worker, the analyzer and the console have started too
    return Setup(running, port, file, document, data)


async def _measure(setup: Setup, folder: Path, reloads: int, kills: int) -> Outcome:
    outcome = Outcome()
    quiet = await _load(setup, folder, 2.0)
    streams = [await _Stream.open(setup.port) for _ in range(_STREAMS)]
    load = asyncio.ensure_future(_load(setup, folder, reloads * 0.2 + 2.0))
    await asyncio.sleep(1.0)
    lives = await _reload(setup, reloads)
    dropped = sum(not each.alive for each in streams)
    busy = await load
    live_ms = [each for each in lives if each is not None]
    never = len(lives) - len(live_ms)
    failed = judge(busy.samples)
    print(f"\n{reloads} reloads beside {_RATE:g} requests/s and {_STREAMS} streams: {failed['all']} requests failed, ")
    print(f"{dropped} streams were dropped, {never} new routes were not live after {_LIVE_TIMEOUT_S:g} s")
    if live_ms:
        print(
            f"a new route is live on all workers after p50 {percentile(live_ms, 50):.1f} ms, max {max(live_ms):.1f} ms"
        )
        outcome.goals.append(
            Goal("new route live on every worker, p50", percentile(live_ms, 50), LIVE_MS_MAX, unit=" ms")
        )
    before, during = took_ms(quiet.samples), took_ms(busy.samples)
    for name, took in (("before", before), ("during", during)):
        print(
            f"latency {name}: p50 {percentile(took, 50):.2f} ms, p99 {percentile(took, 99):.2f} ms, max {max(took):.1f}"
        )
    outcome.goals += [
        Goal(f"requests that failed over {reloads} reloads", failed["all"], most=0),
        Goal("streams dropped by reloads", dropped, most=0),
        Goal("reloads that did not become live", never, most=0),
    ]
    outcome.facts |= {"live_ms": live_ms, "never": never, "failed": failed, "dropped": dropped}
    outcome.facts["latency_ms"] = {
        "before": [percentile(before, 50), percentile(before, 99)],
        "during": [percentile(during, 50), percentile(during, 99)],
    }
    if kills:
        await _kill(setup, folder, kills, outcome)
    return outcome


async def _load(setup: Setup, folder: Path, seconds: float) -> Found:
    plan = Plan(setup.port, _RATE, seconds, [head("/x", _HEADERS)], connections=32)
    return await asyncio.to_thread(send, plan, folder)


async def _reload(setup: Setup, reloads: int) -> list[float | None]:
    """Milliseconds until each reload was live everywhere; None where it was not in time."""
    clients = [await _Client.open(setup.port) for _ in range(_CONNECTIONS)]
    out: list[float | None] = []
    for number in range(1, reloads + 1):
        begin_s = time.monotonic()
        setup.tell(number)
        seen = await asyncio.gather(*[each.until_ok(f"/new/{number}", begin_s + _LIVE_TIMEOUT_S) for each in clients])
        ends = [each for each in seen if each is not None]
        out.append((max(ends) - begin_s) * 1e3 if len(ends) == len(seen) else None)
        if len(out) >= 3 and not any(each is not None for each in out):
            say("nothing of it becomes live: this foregate does not reload")
            break
        await asyncio.sleep(_BETWEEN_S)
    return out


async def _kill(setup: Setup, folder: Path, kills: int, outcome: Outcome) -> None:
    load = asyncio.ensure_future(_load(setup, folder, kills * _KILL_GAP_S + 1.0))
    await asyncio.sleep(1.0)
    for number in range(kills):
        pids = setup.worker_pids()
        if pids:
            os.kill(pids[number % len(pids)], signal.SIGKILL)
        await asyncio.sleep(_KILL_GAP_S)
    found = await load
    failed = judge(found.samples)
    print(
        f"{kills} kills of a worker under load: {failed['under_way']} requests that it had under way failed, "
        f"{failed['other']} others"
    )
    outcome.goals.append(Goal("requests that failed, though no killed worker had them", failed["other"], most=0))
    outcome.facts["kills"] = failed


def judge(samples: list[Sample]) -> dict[str, int]:
    """`under_way`: sent, and the connection broke before the answer; `other`: never sent, or a bad answer."""
    under_way = sum(each.status == 0 and each.sent_s > 0 for each in samples)
    every = sum(each.status != 200 for each in samples)
    return {"all": every, "under_way": under_way, "other": every - under_way}


def took_ms(samples: list[Sample]) -> list[float]:
    return [(each.done_s - each.due_s) * 1e3 for each in samples if each.status == 200] or [float("nan")]


@dataclass
class _Client:
    """One keep-alive connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def open(cls, port: int) -> "_Client":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def until_ok(self, path: str, until_s: float) -> float | None:
        """When (monotonic seconds) the path first gave 200; None when it did not in time."""
        while time.monotonic() < until_s:
            self.writer.write(head(path, _HEADERS))
            answer = await self.reader.readuntil(b"\r\n\r\n")
            lines = {line.split(b":", 1)[0].lower(): line for line in answer.split(b"\r\n")}
            await self.reader.readexactly(int(lines[b"content-length"].split(b":")[1]))
            if answer.startswith(b"HTTP/1.1 200"):
                return time.monotonic()
            await asyncio.sleep(0.002)
        return None


class _Stream:
    """A stream that should live through everything."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._reading = asyncio.ensure_future(self._read())

    @classmethod
    async def open(cls, port: int) -> "_Stream":
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head("/stream", _HEADERS))
        await asyncio.wait_for(reader.readuntil(b"data:"), 10.0)
        return cls(reader, writer)

    async def _read(self) -> None:
        with contextlib.suppress(OSError):
            while await self._reader.read(65_536):
                pass

    @property
    def alive(self) -> bool:
        return not self._reading.done()
