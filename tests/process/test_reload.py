"""Changing the configuration of a running foregate: live on every worker, without a lost request or stream."""

import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.process.harness import KEY, Foregate, foregate, upstream

from foregate.app.heartbeat import BEAT_S

WORKERS = 2
SERVICES = "services: {{a: {{targets: ['{url}']}}}}\nroutes:\n  - {{path: /a, service: a}}"
STREAM_LINES = 500  # 20 ms apart: they go on through all reloads
LIVE_S = 1.0  # generous: the bench measures; two noisy cores are shared here


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foregate]:
    folder = tmp_path_factory.mktemp("reload")
    with upstream() as url, foregate(folder, SERVICES.format(url=url), workers=WORKERS) as made:
        yield made


@pytest.fixture
def running(shared: Foregate) -> Iterator[Foregate]:
    """All workers serve by the file that every test begins with."""
    file = shared.data.parent / "foregate.yaml"
    first = file.read_text()
    yield shared
    file.write_text(first)
    shared.api("/config/reload", {})
    wait_for(lambda: bool(config(shared)["settled"]), 40)


def rewrite(running: Foregate, change: Callable[[str], str]) -> None:
    """As editors do it: a new file in place of the old one."""
    file = running.data.parent / "foregate.yaml"
    other = file.with_name("new.yaml")
    other.write_text(change(file.read_text()))
    other.replace(file)


def add_route(running: Foregate, path: str) -> None:
    route = f"  - {{path: {path}, service: a, auth: none}}\nkeys:"
    rewrite(running, lambda text: text.replace("keys:", route, 1))


def status_at(running: Foregate, path: str) -> int:
    """The status on a new connection, which any worker may take."""
    request = urllib.request.Request(running.gateway + path)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as refused:
        refused.close()
        return refused.code


@contextmanager
def load(running: Foregate, clients: int = 3) -> Iterator[list[str]]:
    """Requests one after the other, some on kept connections, until the block ends; gives what failed."""
    failed: list[str] = []
    done: list[int] = []
    over = threading.Event()
    where = urlsplit(running.gateway)

    def ask(kept: bool) -> None:
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)
        while not over.is_set():
            try:
                connection.request("GET", "/a/x", headers={"X-Api-Key": KEY})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    failed.append(f"status {answer.status}")
                done.append(1)
            except (OSError, http.client.HTTPException) as error:
                failed.append(repr(error))
                connection.close()
            if not kept:
                connection.close()
            time.sleep(0.002)
        connection.close()

    threads = [threading.Thread(target=ask, args=(number > 0,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield failed
    finally:
        over.set()
        for thread in threads:
            thread.join(20)
        assert len(done) > 50, "there was no load"


def config(running: Foregate) -> dict[str, Any]:
    answer: dict[str, Any] = running.api("/config")
    return answer


def wait_for(what: Callable[[], bool], seconds: float = 15.0) -> float:
    began_s = time.monotonic()
    while not what():
        assert time.monotonic() - began_s < seconds, "it did not happen"
        time.sleep(0.002)
    return time.monotonic() - began_s


def settled(running: Foregate, before: str) -> bool:
    now = config(running)
    return bool(now["settled"]) and now["version"] != before


def read_stream(running: Foregate, lines: list[str]) -> None:
    with urllib.request.urlopen(f"{running.gateway}/stream", timeout=60) as answer:
        lines += [line.decode().strip() for line in answer]


def test_10_reloads_under_load_lose_no_request_and_no_stream(tmp_path: Path) -> None:
    with upstream() as url, upstream(script="streaming.py", arguments=(str(STREAM_LINES),)) as streaming:
        stream = f"s: {{targets: ['{streaming}']}}}}\nroutes:\n  - {{path: /stream, service: s, auth: none}}"
        services = SERVICES.format(url=url).replace("}}\nroutes:", "}, " + stream)
        with foregate(tmp_path, services, workers=WORKERS) as running:
            lines: tuple[list[str], ...] = ([], [], [])
            readers = [threading.Thread(target=read_stream, args=(running, each)) for each in lines]
            for reader in readers:
                reader.start()
            took_s = []
            with load(running) as failed:
                for number in range(10):
                    before = config(running)["version"]
                    began_s = time.monotonic()
                    add_route(running, f"/new{number}")
                    wait_for(partial(settled, running, before))
                    took_s.append(time.monotonic() - began_s)
                    assert [status_at(running, f"/new{number}") for _ in range(6)] == [200] * 6
                assert all(reader.is_alive() for reader in readers), "the streams were over before the reloads were"
            for reader in readers:
                reader.join(60)
            assert failed == []
            assert [len(each) for each in lines] == [STREAM_LINES] * 3
            assert lines[0] == [str(number) for number in range(STREAM_LINES)]
            assert statistics.median(took_s) < LIVE_S


def test_the_command_line_has_it_reloaded(running: Foregate) -> None:
    add_route(running, "/cli")
    command = [sys.executable, "-m", "foregate.app.cli", "config", "reload", "--data-dir", str(running.data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "is in force" in done.stdout
    wait_for(lambda: status_at(running, "/cli") == 200)

    rewrite(running, lambda text: text.replace("service: a}", "service: b}", 1))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "there is no service" in done.stderr


def test_a_bad_file_keeps_the_old_one_and_says_why(running: Foregate) -> None:
    before, said = config(running), running.log.read_text()
    rewrite(running, lambda text: text.replace("service: a}", "service: b}"))
    wait_for(lambda: config(running)["last_attempt"]["outcome"] == "refused")
    now = config(running)
    assert now["version"] == before["version"]
    assert "routes[0].service: there is no service" in now["last_attempt"]["problems"][0]
    assert status_at(running, "/a/x") == 401
    assert "configuration_refused" in running.log.read_text().removeprefix(said)

    rewrite(running, lambda text: text.replace("service: b}", "service: a, auth: none}"))
    wait_for(lambda: status_at(running, "/a/x") == 200)
    assert config(running)["last_attempt"]["outcome"] == "applied"


def test_a_signal_and_the_api_have_the_file_read_again(running: Foregate) -> None:
    before = config(running)["last_attempt"]
    os.kill(running.process.pid, signal.SIGHUP)
    wait_for(lambda: config(running)["last_attempt"] != before)
    attempt = config(running)["last_attempt"]
    assert (attempt["by"], attempt["outcome"]) == ("signal", "unchanged")

    (running.data.parent / "foregate.yaml").unlink()  # gone is no change …
    time.sleep(0.2)
    assert status_at(running, "/a/x") == 401
    with pytest.raises(urllib.error.HTTPError) as refused:  # … but who asks is told
        running.api("/config/reload", {})
    with refused.value:
        assert refused.value.code == 422
        problem = json.load(refused.value)
    assert problem["code"] == "config_refused"
    assert "cannot be read" in problem["detail"]


def test_the_api_answers_once_every_worker_serves_by_the_new_configuration(running: Foregate) -> None:
    add_route(running, "/asked")
    answer = running.api("/config/reload", {})
    assert answer["settled"] is True
    assert {row["version"] for row in answer["workers"]} == {answer["version"]}
    assert [status_at(running, "/asked") for _ in range(6)] == [200] * 6


def test_a_worker_that_is_born_after_a_reload_serves_by_it(running: Foregate) -> None:
    add_route(running, "/late")
    wait_for(lambda: status_at(running, "/late") == 200)
    killed = running.kill("gateway-0")
    running.wait_until_back("gateway-0", killed)
    assert config(running)["settled"]
    assert [status_at(running, "/late") for _ in range(8)] == [200] * 8


def test_what_only_a_restart_can_change_is_refused_by_its_name(running: Foregate) -> None:
    rewrite(running, lambda text: "org: other\n" + text)
    wait_for(lambda: config(running)["last_attempt"]["outcome"] == "refused")
    assert "org: cannot change while foregate runs" in config(running)["last_attempt"]["problems"][0]


def test_a_worker_that_hangs_is_named_and_replaced(running: Foregate) -> None:
    stopped = running.pid("gateway-0")
    time.sleep(3 * BEAT_S)  # one that has not been seen to beat is given two minutes
    os.kill(stopped, signal.SIGSTOP)
    add_route(running, "/while")
    command = [sys.executable, "-m", "foregate.app.cli", "config", "reload", "--data-dir", str(running.data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert "gateway-0" in done.stderr
    assert "gateway-1" not in done.stderr
    assert config(running)["settled"] is False
    running.wait_until_back("gateway-0", stopped)
    assert "child_hung" in running.log.read_text()
    wait_for(lambda: bool(config(running)["settled"]), 40)
    assert [status_at(running, "/while") for _ in range(8)] == [200] * 8
