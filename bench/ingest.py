"""Taking telemetry in: `python -m bench ingest [--seconds N] [--beside] [--no-peer]`.

- batches of 500 events from wrk on this machine, as many as are acknowledged (durable): events/s, CPU and memory;
- 10,000 events a second, open loop (batches of 100 and of 500): how long until they are acknowledged;
- single events, one per post;
- spans by OTLP, in requests of 500;
- beside it FastAPI with pydantic and SQL inserts, and an OpenTelemetry collector where `otelcol` is installed.

With `--beside` all of foregate runs: analyzer and keeper read what comes in, on the same cores.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from bench import ingest_otlp, process, wrk
from bench.open_loop import Plan, send
from bench.report import Goal, Outcome, finish, percentile, say
from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.app.paths import DataDir
from foregate.app.runtime import Runtime, write_ingest, write_runtime
from foregate.kernel.clock import SystemClock
from foregate.kernel.secrets import hash_key
from foregate.wire import TOPIC_EVENTS
from foregate.wire.ingest import Ingest, IngestKey

SECRET = "fg_bench_0123456789abcdefghij"
BATCH = 500
BODIES = 8  # different ones, sent in turn
GOAL_EVENTS_PER_S = 50_000
GOAL_P99_MS = 50.0
GOAL_SINGLES_PER_S = 3_000
_POST = """
local bodies = {{}}
for n = 0, {last} do
  local file = io.open("{folder}/body-" .. n, "rb")
  bodies[n] = file:read("*a")
  file:close()
end
local sent = 0
wrk.method = "POST"
wrk.headers["content-type"] = "{kind}"
wrk.headers["x-api-key"] = "{secret}"
function request()
  sent = sent + 1
  return wrk.format(nil, nil, nil, bodies[sent % {count}])
end
"""


@dataclass(frozen=True)
class Server:
    """Who takes telemetry in: its processes, its port, and how many events it says it has stored."""

    running: process.Running
    port: int
    data: DataDir | None = None

    def stored(self) -> int:
        """Events on the bus."""
        if self.data is None:
            return 0
        bus = EmbeddedBus(self.data.bus, SystemClock())
        found = bus.appended(TOPIC_EVENTS)
        bus.close()
        return found


def events(count: int, seed: int, now_s: float) -> list[dict[str, Any]]:
    """As people send them."""
    chance = random.Random(seed)
    return [
        {
            "time": round(now_s + n * 0.0001, 6),
            "service": f"service-{chance.randrange(4)}",
            "path": f"/api/orders/{chance.randrange(10_000_000)}",
            "method": "GET",
            "status": 200 if chance.random() < 0.98 else 503,
            "latency_ms": round(chance.lognormvariate(3.0, 0.7), 3),
            "request_bytes": 120,
            "response_bytes": chance.randrange(100, 20_000),
            "key_id": f"key-{chance.randrange(100)}",
            "client": f"192.0.2.{chance.randrange(256)}",
            "host": "api.example.org",
            "region": "eu-west-1",
            "trace_id": f"{chance.getrandbits(128):032x}",
            "span_id": f"{chance.getrandbits(64):016x}",
        }
        for n in range(count)
    ]


def bodies(count: int, size: int, kind: str = "application/json") -> list[bytes]:
    encode = msgspec.json.encode if kind == "application/json" else msgspec.msgpack.encode
    now_s = time.time()
    return [encode(events(size, seed, now_s)) for seed in range(count)]


@contextmanager
def foregate(folder: Path, *, beside: bool) -> Iterator[Server]:
    """One ingest process; with `beside` the whole of foregate."""
    port = process.free_port()
    data = DataDir(folder / "data")
    data.create()
    if beside:
        running = _whole(folder, data, port)
    else:
        key = IngestKey("bench", hash_key(SECRET, data.pepper()), "default", items_per_s=1e9)
        write_runtime(data, Runtime("127.0.0.1", 0, "", 1, 0.8))
        write_ingest(data, Ingest((f"127.0.0.1:{port}",), (key,)))
        argv = (sys.executable, "-P", "-m", "foregate.app.roles", "ingest", "--data-dir", str(data.root))
        running = process.start("ingest", argv, port, folder)
    try:
        yield Server(running, port, data)
    finally:
        running.stop()


def _whole(folder: Path, data: DataDir, port: int) -> process.Running:
    gateway, console = process.free_port(), process.free_port()
    config = {
        "listen": {
            "gateway": f"127.0.0.1:{gateway}", "console": f"127.0.0.1:{console}", "ingest": [f"127.0.0.1:{port}"],
        },
        "telemetry": {"ingest_keys": [{"name": "bench", "secret": "${env:BENCH_KEY}", "items_per_s": 10_000_000}]},
    }  # fmt: skip
    file = folder / "foregate.yaml"
    file.write_text(json.dumps(config))
    argv = (
        sys.executable,
        "-m",
        "foregate.app.cli",
        "up",
        "-c",
        str(file),
        "--data-dir",
        str(data.root),
        "--workers",
        "1",
    )
    running = process.start("foregate", argv, port, folder, env={**os.environ, "BENCH_KEY": SECRET})
    time.sleep(5.0)  # analyzer and keeper have their imports behind them
    return running


@contextmanager
def fastapi(folder: Path) -> Iterator[Server]:
    port = process.free_port()
    argv = (sys.executable, "-m", "bench.ingest_peer", str(port), str(folder / "peer.sqlite"))
    running = process.start("fastapi", argv, port, folder)
    try:
        yield Server(running, port)
    finally:
        running.stop()


def saturate(
    server: Server,
    folder: Path,
    sent: Sequence[bytes],
    seconds: float,
    connections: int,
    kind: str = "application/json",
    path: str = "/v1/telemetry",
) -> dict[str, float]:
    """As many posts as are answered, by wrk."""
    for number, body in enumerate(sent):
        (folder / f"body-{number}").write_bytes(body)
    script = folder / "post.lua"
    script.write_text(_POST.format(last=len(sent) - 1, count=len(sent), folder=folder, kind=kind, secret=SECRET))
    before_cpu_s, before = server.running.cpu_s(), server.stored()
    argv = [process.tool("wrk"), "-t1", f"-c{connections}", f"-d{round(seconds)}s", "--latency", "--timeout", "10s"]
    url = f"http://127.0.0.1:{server.port}{path}"
    done = subprocess.run([*argv, "-s", str(script), url], check=True, capture_output=True, text=True)
    found = wrk.read(done.stdout, server.running.cpu_s() - before_cpu_s)
    return {
        "posts_per_s": found.requests / found.seconds,
        "p50_ms": found.p50_ms,
        "p99_ms": found.p99_ms,
        "cpu_us_per_post": found.cpu_us,
        "bad": found.bad,
        "stored": server.stored() - before,
        "acknowledged_posts": found.requests,
        "rss_mb": server.running.rss_mb(),
    }


def paced(server: Server, folder: Path, size: int, per_s: float, seconds: float) -> dict[str, float]:
    """So many events a second in posts of `size`, whatever becomes of the others."""
    requests = [_request(body) for body in bodies(BODIES, size)]
    found = send(Plan(server.port, per_s / size, seconds, requests, connections=64, seed=7), folder)
    good = [1e3 * (one.done_s - one.due_s) for one in found.samples if one.status == 200]
    return {
        "posts": len(found.samples),
        "p50_ms": percentile(good, 50),
        "p99_ms": percentile(good, 99),
        "max_ms": max(good, default=float("nan")),
        "bad": len(found.samples) - len(good),
        "rss_mb": server.running.rss_mb(),
    }


def _request(body: bytes) -> bytes:
    head = (
        "POST /v1/telemetry HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"x-api-key: {SECRET}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def measure(name: str, server: Server, folder: Path, seconds: float, outcome: Outcome) -> dict[str, dict[str, float]]:
    found = {
        "batches": saturate(server, folder, bodies(BODIES, BATCH), seconds, 8),
        "singles": saturate(server, folder, bodies(BODIES, 1), seconds, 64),
    }
    for what, facts in found.items():
        size = BATCH if what == "batches" else 1
        facts["events_per_s"] = facts["posts_per_s"] * size
        facts["cpu_us_per_event"] = facts["cpu_us_per_post"] / size
        say(f"{name:10} {what:8} {_words(facts)}")
        if facts["bad"]:
            outcome.invalid.append(f"{name}: {facts['bad']:.0f} posts of {what} were not answered with success")
        if server.data is not None and facts["stored"] < facts["acknowledged_posts"] * size:
            outcome.invalid.append(f"{name}: fewer events are stored than were acknowledged in {what}")
    return found


def _words(facts: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:,.2f}" for name, value in facts.items())


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench ingest", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--beside", action="store_true", help="with analyzer and keeper")
    parser.add_argument("--no-peer", action="store_true")
    options = parser.parse_args(argv)
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as name, foregate(Path(name), beside=options.beside) as server:
        folder = Path(name)
        ours = measure("foregate", server, folder, options.seconds, outcome)
        packed = bodies(BODIES, BATCH, "application/msgpack")
        ours["msgpack"] = saturate(server, folder, packed, options.seconds / 2, 8, "application/msgpack")
        say(f"foregate   msgpack  {_words(ours['msgpack'])}")
        spans = ingest_otlp.requests(BODIES, BATCH)
        ours["traces"] = saturate(server, folder, spans, options.seconds / 2, 8, ingest_otlp.KIND, ingest_otlp.PATH)
        say(f"foregate   traces   {_words(ours['traces'])}")
        for size in (100, BATCH):
            ours[f"paced_{size}"] = paced(server, folder, size, 10_000, options.seconds)
            say(f"foregate   10,000/s in {size}: {_words(ours[f'paced_{size}'])}")
    outcome.facts["foregate"] = ours
    worst_ms = max(ours[f"paced_{size}"]["p99_ms"] for size in (100, BATCH))
    outcome.goals.append(Goal("p99 of the acknowledgement at 10,000 events/s", worst_ms, most=GOAL_P99_MS, unit=" ms"))
    if not options.beside:  # otherwise three more processes want the same cores
        outcome.goals += [
            Goal("durable events/s in batches of 500", ours["batches"]["events_per_s"], least=GOAL_EVENTS_PER_S),
            Goal("posts of one event/s", ours["singles"]["posts_per_s"], least=GOAL_SINGLES_PER_S),
        ]
    if not options.no_peer:
        with tempfile.TemporaryDirectory() as name, fastapi(Path(name)) as server:
            peer = measure("fastapi", server, Path(name), options.seconds, outcome)
        outcome.facts["fastapi"] = peer
        ratio = peer["batches"]["cpu_us_per_event"] / ours["batches"]["cpu_us_per_event"]
        outcome.goals.append(
            Goal("CPU per event of FastAPI, pydantic and SQL inserts to ours", ratio, least=1.0, unit=" ×")
        )
    if "traces" in ours:
        beside_collector(ours["traces"], options.seconds, outcome)
    return finish("ingest", outcome)


def beside_collector(ours: dict[str, float], seconds: float, outcome: Outcome) -> None:
    """The same spans to an OpenTelemetry collector; said loudly where there is none."""
    try:
        with tempfile.TemporaryDirectory() as name, ingest_otlp.collector(Path(name)) as (running, port):
            sent = ingest_otlp.requests(BODIES, BATCH)
            server = Server(running, port)
            peer = saturate(server, Path(name), sent, seconds, 8, ingest_otlp.KIND, ingest_otlp.PATH)
    except (process.Missing, RuntimeError) as missing:
        outcome.skipped["otelcol"] = f"{missing}: NO OpenTelemetry collector was measured beside us"
        return
    outcome.facts["otelcol"] = peer
    say(f"otelcol    traces   {_words(peer)}")
    ratio = peer["cpu_us_per_post"] / ours["cpu_us_per_post"]
    say(f"CPU of the collector (which writes without fsync) to ours: {ratio:.2f} ×")
