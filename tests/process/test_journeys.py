"""Three processes in three environments, one of them with a wrong clock: one journey, its map and its logs."""

import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.process.harness import KEY, Foregate, foregate, upstream

from foregate.app.listeners import free_ports

WAIT_S = 30.0
AHEAD_S = 3.0
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def until_found(running: Foregate, path: str, name: str, count: int = 1) -> list[Any]:
    """What the API lists there, once there is so much of it."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        found: list[Any] = running.api(path)[name]
        if len(found) >= count:
            return found
        time.sleep(0.2)
    raise AssertionError(f"{path} lists nothing:\n{running.log.read_text()[-3000:]}")


def test_a_request_through_three_processes_is_one_journey_with_its_clocks_corrected(tmp_path: Path) -> None:
    (ingest,) = free_ports(1)
    to = f"http://127.0.0.1:{ingest}"
    with (
        upstream(script="traced.py", arguments=("stock", "aws", to, KEY, str(AHEAD_S), "")) as stock,
        upstream(script="traced.py", arguments=("shop", "on-prem", to, KEY, "0", f"{stock}/stock")) as shop,
    ):
        services = (
            "environment: edge\nregion: eu-west-1\n"
            f"services: {{checkout: {{targets: ['{shop}']}}}}\n"
            "routes: [{name: buy, path: /buy, service: checkout, auth: none}]\n"
            "telemetry:\n"
            "  ingest_keys: [{name: services, secret: '${env:FOREGATE_TEST_KEY}'}]\n"
            "  journeys: {quiet_s: 2}\n"
        )
        with foregate(tmp_path, services, workers=1, listen=f", ingest: [127.0.0.1:{ingest}]") as running:
            request = urllib.request.Request(f"{running.gateway}/buy/1", headers={"traceparent": TRACEPARENT})
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert answer.status == 200
            (found,) = until_found(running, "/journeys?service=stock", "journeys")
            journey = running.api(f"/journeys/{TRACE}")
            edges = running.api("/service-map")["edges"]
            (log,) = until_found(running, f"/logs?q=sold&trace_id={TRACE}", "logs")
    assert (found["trace_id"], found["environment"], found["route"]) == (TRACE, "edge", "buy")
    assert [(row["depth"], row["service"], row["environment"], row["kind"]) for row in journey["rows"]] == [
        (0, "gateway", "edge", "server"),
        (1, "gateway", "edge", "client"),
        (2, "shop", "on-prem", "server"),
        (3, "shop", "on-prem", "client"),
        (4, "stock", "aws", "server"),
    ]
    assert journey["rows"][0]["missing_parent"]  # the test's own span, which it never sent
    assert journey["rows"][0]["region"] == "eu-west-1"
    assert abs(journey["rows"][4]["skew_ms"] - AHEAD_S * 1000) < 100
    starts = [row["offset_ms"] for row in journey["rows"]]
    assert starts == sorted(starts)
    assert starts[-1] < 1_000
    assert abs(sum(part["duration_ms"] for part in journey["breakdown"]) - found["duration_ms"]) < 0.1
    assert {part["service"] for part in journey["breakdown"] if part["kind"] == "service"} >= {"shop", "stock"}
    assert {(edge["caller"], edge["callee"], edge["callee_environment"], edge["requests"]) for edge in edges} == {
        ("", "gateway", "edge", 1),
        ("gateway", "shop", "on-prem", 1),
        ("shop", "stock", "aws", 1),
    }
    assert (log["body"], log["service"], log["severity"]) == ("almost sold out", "stock", 13)
