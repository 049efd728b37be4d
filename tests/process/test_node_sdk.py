"""OpenTelemetry's SDK for Node sends traces (JSON and protobuf), metrics and logs, and all of it is found again."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.process.harness import KEY, foregate

from foregate.adapters.embedded.archive.reader import EmbeddedArchiveReader
from foregate.adapters.embedded.logs import EmbeddedLogs
from foregate.app.listeners import free_ports
from foregate.kernel.clock import SystemClock
from foregate.ports.logs import LogAsk
from foregate.wire.ask import Filter

NODE = Path(__file__).parents[1] / "node"
REQUESTS = 50
SERVICES = "telemetry: {ingest_keys: [{name: sender, org: acme, secret: '${env:FOREGATE_TEST_KEY}'}]}"
SERVER = (Filter("service", "eq", ("node-shop",)),)

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (NODE / "node_modules").exists(),
    reason="needs Node.js 20 and its packages: npm --prefix tests/node ci",
)


def soon(said: Callable[[], int], expected: int) -> int:
    deadline = time.monotonic() + 30
    while said() != expected and time.monotonic() < deadline:
        time.sleep(0.3)
    return said()


def test_all_that_the_sdk_for_node_sends_is_found_again(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with foregate(tmp_path, SERVICES, workers=1, listen=f", ingest: ['127.0.0.1:{port}']") as running:
        command = ["node", str(NODE / "send.mjs"), f"http://127.0.0.1:{port}", KEY, "staging", str(REQUESTS)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout.strip() == "sent", done.stderr
        with closing(EmbeddedArchiveReader(running.data / "archive")) as archive:
            kinds = {"events": REQUESTS, "spans": 2 * REQUESTS, "points": 2}
            for kind, expected in kinds.items():
                assert soon(lambda kind=kind: archive.items(kind), expected) == expected, kind  # type: ignore[misc]
            events = archive.scan("events", "acme", 0.0, 1e11, SERVER, limit=100).rows
            assert {(row["route"], row["environment"], row["region"], row["cloud"]) for row in events} == {
                ("/orders/:id", "staging", "eu-west-1", "aws")
            }
            assert sorted(row["path"] for row in events) == sorted(f"/orders/{number}" for number in range(REQUESTS))
            assert sum(row["status"] == 500 for row in events) == REQUESTS / 5
            spans = archive.scan("spans", "acme", 0.0, 1e11, SERVER, limit=200).rows
            roots = {row["span_id"] for row in spans if row["kind"] == "server"}
            assert {row["parent_id"] for row in spans if row["kind"] == "client"} == roots
            points = {row["name"]: row for row in archive.scan("points", "acme", 0.0, 1e11, SERVER).rows}
            assert points["orders.placed"]["value"] == REQUESTS
            assert points["orders.size"]["count"] == REQUESTS
        clock = SystemClock()
        with closing(EmbeddedLogs(running.data / "logs.sqlite", clock)) as logs:
            ask = LogAsk("acme", 0.0, 1e10, words='"order 7 placed"')
            assert soon(lambda: len(logs.search(ask, 10).found), 1) == 1
            (record,) = logs.search(ask, 10).found
            assert record.trace_id in {row["trace_id"] for row in spans}
            assert json.loads(record.attributes["number"]) == 7
