"""`foregate up` with keys for telemetry: it listens, follows its keys, and the windows see what was sent."""

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.process.harness import KEY, Foregate, foregate

from foregate.app.listeners import free_ports

SERVICES = """
telemetry:
  ingest_keys:
    - {{name: sender, secret: '${{env:FOREGATE_TEST_KEY}}', environment: staging}}
services: {{intake: {{targets: ["http://127.0.0.1:{port}"], protocol: h2}}}}
routes: [{{name: telemetry, path: /v1, service: intake, auth: none}}]
"""


def post(url: str, events: list[dict[str, Any]], key: str = KEY) -> tuple[int, dict[str, Any]]:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/telemetry", json.dumps(events).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def event(**more: Any) -> dict[str, Any]:
    said = {"time": time.time(), "service": "elsewhere", "path": "/users/42", "method": "GET", "status": 200}
    return {**said, "latency_ms": 5, **more}


def until(what: str, look: Any, seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come to be")


def test_events_that_are_sent_are_in_the_windows_and_a_key_that_is_removed_is_soon_refused(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    url, file = f"http://127.0.0.1:{port}", tmp_path / "foregate.yaml"
    with foregate(tmp_path, SERVICES.format(port=port), workers=1, listen=f", ingest: [127.0.0.1:{port}]") as running:
        assert running.children()["ingest-0"]["state"] == "running"
        assert post(url, [event(), {"bad": 1}]) == (200, _answer(1, 1))
        # From other machines it goes through the gateway, over HTTP/2 to the intake.
        assert post(running.gateway, [event(path="/users/43")]) == (200, _answer(1, 0))
        asked = "/metrics?service=elsewhere&route=/users/%7Bid%7D"
        until("both in one window's route", lambda: _requests(running, asked) == 2)
        entities = [one["entity"] for one in running.api(asked)["series"]]
        assert {(one["service"], one["route"], one["environment"]) for one in entities} == {
            ("elsewhere", "/users/{id}", "staging")
        }

        before = file.read_text()
        began_s = time.monotonic()
        file.write_text(before.replace(SECRET_LINE, f"hash: '{OTHER_HASH}'"))
        until("the refusal", lambda: post(url, [event()])[0] == 401)
        assert time.monotonic() - began_s < 5.0
        file.write_text(before)
        until("the key", lambda: post(url, [event()])[0] == 200)


SECRET_LINE = "secret: '${env:FOREGATE_TEST_KEY}'"
OTHER_HASH = "hmac-sha256:" + "0" * 64


def _answer(accepted: int, invalid: int) -> dict[str, Any]:
    errors = [{"index": 1, "reason": "service is missing."}] if invalid else []
    return {"accepted": accepted, "duplicates": 0, "invalid": invalid, "errors": errors}


def _requests(running: Foregate, asked: str) -> int:
    return int(sum(point["requests"] for series in running.api(asked)["series"] for point in series["points"]))
