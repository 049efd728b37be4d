"""`foregate demo`, what `make run` starts: real services, real traffic, real faults, seen through the public API."""

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.process.harness import demo

SERVICES = {"ai", "orders", "payments", "search", "users"}


def eventually(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def test_the_demo_carries_traffic_judges_it_and_takes_faults(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        pasted = re.search(r"curl -H '(.+)' '(.+)'", running.log.read_text())
        assert pasted is not None, "make run ends with a curl to paste"
        answer = subprocess.run(
            ["curl", "-s", "-w", " %{http_code}", "-H", pasted[1], pasted[2]],
            capture_output=True,
            text=True,
            check=True,
        )
        assert answer.stdout.endswith(" 200"), answer.stdout

        def seen() -> set[str]:
            series = running.api("/metrics?range_s=300&span_s=10")["series"]
            return {each["entity"]["service"] for each in series if sum(p["requests"] for p in each["points"]) > 3}

        assert eventually(lambda: seen() >= SERVICES, 30), seen()
        assert eventually(lambda: len(running.api("/risks")["risks"]) >= len(SERVICES), 30)
        assert {risk["state"] for risk in running.api("/risks")["risks"]} <= {"learning", "quiet", "scored"}

        begun = running.api("/lab/faults", {"kind": "crash", "service": "users"})
        assert begun["kind"] == "crash"

        def users_fail() -> bool:
            points = running.api("/metrics?range_s=60&span_s=10&service=users")["total"]
            return sum(point["errors"] for point in points) > 0

        assert eventually(users_fail, 30), "a crashed service answers 5xx through the gateway"
        assert running.api("/status")["accounts"]["accepted"] > 100

        def points() -> int:
            by_kind = {each["kind"]: each for each in running.api("/telemetry/accounts")["accounts"]}
            return int(by_kind["points"]["received"])

        assert eventually(lambda: points() > 0, 30), "the services send metrics of their own"
        assert running.api("/status")["model_version"] == running.api("/model")["version"] != ""
