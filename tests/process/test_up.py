"""`foregate up` as a person meets it: starts, answers, refuses clearly, stops cleanly."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path

import pytest
from tests.process.harness import KEY, Foregate, foregate, upstream

from foregate.app.listeners import free_ports


def get(url: str, **headers: str) -> tuple[int, Message, bytes]:
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.headers, refused.read()


def up(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "foregate.app.cli", "up", *arguments]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=60, env={**os.environ, **environ}, check=False
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foregate]:
    """Two workers before a service that answers and one that is away."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with upstream() as url:
        services = (
            f"services:\n  a: {{targets: ['{url}']}}\n"
            f"  dead: {{targets: ['http://127.0.0.1:{port}'], policies: {{retry: {{attempts: 0}}}}}}\n"
            "routes: [{path: /a, service: a}, {path: /dead, service: dead, auth: none}]"
        )
        with foregate(tmp_path_factory.mktemp("up"), services) as made:
            yield made


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foregate]:
    with foregate(tmp_path_factory.mktemp("empty"), "", workers=1) as made:
        yield made


def test_one_command_serves_checks_keys_and_shows_traffic(running: Foregate) -> None:
    status, headers, body = get(f"{running.gateway}/a/x", X_Api_Key=KEY, X_Request_Id="mine-1")
    assert (status, json.loads(body)) == (200, {"ok": True})
    assert headers["X-Request-ID"] == "mine-1"
    assert headers["X-Gateway-Service"] == "a"
    assert float(headers["X-Gateway-Response-Time"]) > 0

    status, headers, body = get(f"{running.gateway}/a/x")
    assert (status, headers["Content-Type"]) == (401, "application/problem+json")
    assert json.loads(body)["code"] == "key_missing"
    assert get(f"{running.gateway}/a/x", X_Api_Key="fg_wrong_0123456789abcdef")[0] == 401
    assert get(f"{running.gateway}/nowhere")[0] == 404
    for base in (running.gateway, running.console):
        for path in ("/health", "/health/ready", "/health/live", "/healthz"):
            assert get(base + path)[0] == 200, base + path
    assert b"foregate_" in get(f"{running.gateway}/metrics")[2]
    assert get(f"{running.console}/api/v1/metrics")[0] == 401
    assert {process["name"] for process in running.api("/status")["processes"]} == {
        "control", "courier", "analyzer", "keeper", "gateway-0", "gateway-1",
    }  # fmt: skip


def test_a_dead_upstream_answers_502_problem_json_with_the_request_id(running: Foregate) -> None:
    status, headers, body = get(f"{running.gateway}/dead", X_Request_Id="lost-1")
    assert (status, headers["Content-Type"]) == (502, "application/problem+json")
    problem = json.loads(body)
    assert (problem["code"], problem["request_id"]) == ("upstream_refused", "lost-1")


def test_it_stops_cleanly_and_says_so(running: Foregate) -> None:
    assert running.stop() == 0
    assert running.children()["gateway-0"]["state"] == "stopped"


def test_with_nothing_configured_it_starts_with_no_services(empty: Foregate) -> None:
    assert get(f"{empty.gateway}/anything")[0] == 404


def test_two_foregates_never_share_a_data_directory(empty: Foregate, tmp_path: Path) -> None:
    environ = {
        f"FOREGATE__LISTEN__{name}": f"127.0.0.1:{port}"
        for name, port in zip(("GATEWAY", "CONSOLE"), free_ports(2), strict=True)
    }
    second = up("--data-dir", str(empty.data), cwd=tmp_path, **environ)
    assert second.returncode == 2
    assert "is in use by another foregate" in second.stderr


def test_children_leave_when_their_supervisor_is_killed(empty: Foregate) -> None:
    pids = [row["pid"] for row in empty.children().values()]
    os.kill(empty.process.pid, signal.SIGKILL)
    empty.process.wait()
    deadline = time.monotonic() + 15
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_a_refused_configuration_exits_2_with_file_line_and_key(tmp_path: Path) -> None:
    (tmp_path / "foregate.yaml").write_text("services: {}\nlistne: {}\n")
    refused = up(cwd=tmp_path)
    assert refused.returncode == 2
    assert 'foregate.yaml:2: listne: is not a key here — did you mean "listen"?' in refused.stderr
    assert not (tmp_path / ".foregate" / "bus.sqlite").exists()


@pytest.mark.parametrize("key", ["gateway", "console"])
def test_a_port_in_use_exits_2_and_names_the_key(tmp_path: Path, key: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "foregate.yaml").write_text(f"listen:\n  {key}: 127.0.0.1:{port}\n")
        refused = up("--data-dir", str(tmp_path / "data"), cwd=tmp_path)
    assert refused.returncode == 2
    assert f"foregate.yaml:2: listen.{key}: cannot listen on 127.0.0.1:{port}" in refused.stderr
