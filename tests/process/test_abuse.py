"""An attack on a real foregate: blocked within seconds, let in when the block ends, freed by an operator at once."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.process.harness import Foregate, foregate, upstream

CONFIG = """
services: {{a: {{targets: ['{url}']}}}}
routes: [{{path: /a, service: a, auth: none}}]
trusted_proxies: [127.0.0.1]
abuse: {{mode: block, block_s: 8, allow_networks: [198.51.100.0/24]}}
"""
ATTACKER, VISITOR, ALLOWED = "203.0.113.9", "203.0.113.10", "198.51.100.1"


class Asking:
    """One client behind a trusted proxy, over one connection."""

    def __init__(self, running: Foregate, client: str) -> None:
        host, _, port = running.gateway.removeprefix("http://").partition(":")
        self._address = host, int(port)
        self._client = client

    def ask(self, path: str) -> tuple[int, dict[str, str]]:
        with socket.create_connection(self._address, timeout=10) as sock, sock.makefile("rb") as file:
            lines = f"Host: a\r\nX-Forwarded-For: {self._client}\r\nConnection: close"
            sock.sendall(f"GET {path} HTTP/1.1\r\n{lines}\r\n\r\n".encode())
            status = int(file.readline().split()[1])
            lines = (line.decode().strip().partition(": ") for line in iter(file.readline, b"\r\n"))
            return status, {name.lower(): value for name, _, value in lines}


def wait_for(what: Callable[[], Any], within_s: float) -> Any:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {within_s} s")


def command(running: Foregate, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "foregate.app.cli", "blocks", *words, "--data-dir", str(running.data)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def page(running: Foregate) -> bytes:
    with urllib.request.urlopen(f"{running.gateway}/metrics", timeout=10) as response:
        found: bytes = response.read()
    return found


def delete(running: Foregate, path: str) -> tuple[int, Any]:
    token = (running.data / "console.token").read_text().strip()
    request = urllib.request.Request(
        f"{running.console}/api/v1{path}", headers={"Authorization": f"Bearer {token}"}, method="DELETE"
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_an_attack_is_blocked_within_seconds_and_an_undo_frees_at_once(tmp_path: Path) -> None:
    with upstream() as url, foregate(tmp_path, CONFIG.format(url=url), workers=2) as running:
        attacker, visitor, allowed = (Asking(running, client) for client in (ATTACKER, VISITOR, ALLOWED))
        numbers = iter(range(1_000_000))

        def attack(by: Asking) -> int:
            return by.ask(f"/nowhere/{next(numbers)}.php")[0]

        def attacked_until_blocked() -> bool:
            assert visitor.ask("/a")[0] == 200
            assert attack(allowed) == 404
            return attack(attacker) == 403

        wait_for(attacked_until_blocked, 20.0)
        wait_for(lambda: all(attacker.ask("/a")[0] == 403 for _ in range(8)), 2.0)  # at every worker
        status, headers = attacker.ask("/a")
        assert (status, 1 <= int(headers["retry-after"]) <= 8) == (403, True)

        (block,) = running.api("/blocks")["blocks"]
        assert (block["subject"], block["rule"], block["effect"], block["times"]) == (
            f"ip:{ATTACKER}",
            "sweep",
            "block",
            1,
        )
        assert "404" in block["reason"]
        wait_for(lambda: b"foregate_blocks 1\n" in page(running), 3.0)
        assert f"ip:{ATTACKER}" in command(running, "list", "--ended").stdout  # perhaps over by now: a process starts

        wait_for(lambda: attacker.ask("/a")[0] == 200, 12.0)  # by itself, and whoever goes on is known by then
        wait_for(attacked_until_blocked, 10.0)
        (again,) = running.api("/blocks")["blocks"]
        assert again["times"] == 2
        assert round(again["until_s"] - again["made_s"]) == 32

        running.kill("analyzer")  # nobody but the operator and the workers is needed
        status, undone = delete(running, f"/blocks/{again['id']}")
        assert (status, undone["ended_by"]) == (200, "console")
        wait_for(lambda: attacker.ask("/a")[0] == 200, 2.0)
        assert visitor.ask("/a")[0] == allowed.ask("/a")[0] == 200

        assert "was not made: 198.51.100.1 is on the allow list" in command(running, "add", ALLOWED).stderr
        made = command(running, "add", "key:partner", "--for", "60", "--note", "asked for by them")
        assert made.returncode == 0, made.stderr
        identity = made.stdout.split()[0]
        assert command(running, "undo", identity).returncode == 0
        assert command(running, "undo", identity).returncode == 1
        overview = running.api("/abuse")
        assert overview["mode"] == "block"
        assert [line["action"] for line in running.api("/blocks")["audit"]] == ["undo", "block", "undo"]
