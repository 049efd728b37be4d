"""A canary that fails, in a real foregate: its share ends within seconds, and begins again when it is resumed."""

import json
import subprocess
import sys
from pathlib import Path

from tests.process.harness import Foregate, foregate, upstream
from tests.process.test_abuse import Asking, wait_for

CONFIG = """
services: {{old: {{targets: ['{url}']}}, new: {{targets: ['{url}/fail'], policies: {{retry: {{attempts: 0}}}}}}}}
routes: [{{path: /a, service: old, auth: none, sticky: false, canary: {{service: new, weight: 40, requests_min: 10}}}}]
trusted_proxies: [127.0.0.1]
"""


def canary(running: Foregate, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "foregate.app.cli", "canary", *words, "--data-dir", str(running.data)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def failures(asking: Asking, of: int) -> int:
    return sum(asking.ask("/a/x")[0] >= 500 for _ in range(of))


def test_a_canary_that_fails_gets_nothing_within_seconds_until_it_is_resumed(tmp_path: Path) -> None:
    with upstream() as url, foregate(tmp_path, CONFIG.format(url=url), workers=2) as running:
        asking = Asking(running, "203.0.113.1")
        assert failures(asking, 60) > 5
        out = wait_for(lambda: failures(asking, 20) == 0 and failures(asking, 40) == 0, 15.0)
        assert out
        (state,) = json.loads(canary(running, "list", "-o", "json").stdout)
        assert state["rolled_back"]
        assert "requests failed" in state["reason"]
        running.kill("analyzer")  # what was decided stays, and an operator needs nobody
        assert failures(asking, 40) == 0
        assert running.api("/canaries")["canaries"] == [state]
        resumed = canary(running, "resume", "/a")
        assert resumed.returncode == 0, resumed.stderr
        assert wait_for(lambda: failures(asking, 10) > 0, 5.0)
        assert canary(running, "resume", "/nowhere").returncode == 1
