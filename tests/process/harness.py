"""A real foregate as a person would start it: `foregate up` in a process of its own, and an upstream beside it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foregate.app.listeners import free_ports
from foregate.ports.archive import PAGE_ITEMS_MAX, ArchiveReader
from foregate.wire.ask import Filter

KEY = "fg_test_0123456789abcdefghij"
START_TIMEOUT_S = 60.0
BACK_TIMEOUT_S = 60.0  # of a child that was killed: the pause before it is started again, and its start
STOP_TIMEOUT_S = 30.0
# What a child says when it has begun its work, by the beginning of its name. A courier says nothing.
BEGINS = {
    "gateway": "serving",
    "control": "console_listening",
    "analyzer": "analyzing",
    "keeper": "keeping",
    "ingest": "taking_in",
}


@dataclass
class Foregate:
    """A running foregate: its addresses, its data directory and its processes."""

    process: subprocess.Popen[bytes]
    gateway: str
    console: str
    data: Path
    log: Path

    def children(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in json.loads((self.data / "processes.json").read_text())}

    def pid(self, name: str) -> int:
        """The process id of a running child; waits for one that is being restarted."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            pid = self.children()[name]["pid"]
            if pid is not None and Path(f"/proc/{pid}").exists():
                return int(pid)
            time.sleep(0.05)
        raise TimeoutError(f"{name} did not come back:\n{self.log.read_text()[-3000:]}")

    def kill(self, name: str) -> int:
        """kill -9 of one child. Returns the process id it had."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_until_back(self, name: str, gone: int) -> None:
        """Until another process than `gone` does the child's work. A process id alone does not say so: to import and
        to listen takes seconds on a busy machine, and who kills the next worker meanwhile leaves nobody to answer."""
        begins = BEGINS.get(name.partition("-")[0], "")
        deadline = time.monotonic() + BACK_TIMEOUT_S
        while self.pid(name) == gone or (begins and begins not in self._said_since_death(name)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} is not at work again:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.05)

    def _said_since_death(self, name: str) -> set[str]:
        """The events that a child has logged since the supervisor saw it die last."""
        said: set[str] = set()
        for line in self.log.read_text().splitlines():
            try:
                told = json.loads(line)
            except ValueError:  # what is said to people, or half a line
                continue
            if told.get("event") == "child_died" and told.get("child") == name:
                said.clear()
            elif told.get("process") == name:
                said.add(told["event"])
        return said

    def api(self, path: str, body: Any = None) -> Any:
        """A GET of the console's API with the token; a POST when there is a body."""
        token = (self.data / "console.token").read_text().strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.console}/api/v1{path}", data, headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(STOP_TIMEOUT_S)


def every_event(archive: ArchiveReader, *filters: Filter) -> Iterator[Mapping[str, Any]]:
    """All that is kept of the default organisation, newest first."""
    cursor = ""
    while True:
        page = archive.scan("events", "default", 0.0, 4e9, filters, limit=PAGE_ITEMS_MAX, cursor=cursor)
        yield from page.rows
        cursor = page.cursor
        if not cursor:
            return


@contextmanager
def upstream(*, script: str = "upstream.py", arguments: tuple[str, ...] = ()) -> Iterator[str]:
    """A real HTTP service in a process of its own; gives its URL."""
    path = Path(__file__).with_name(script)
    with subprocess.Popen([sys.executable, str(path), *arguments], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


@contextmanager
def foregate(folder: Path, services: str, *, workers: int = 2, listen: str = "") -> Iterator[Foregate]:
    """`foregate up` with `services` (YAML of services and routes) until the block ends; then it must stop cleanly.

    `listen`: more addresses, each with a comma before it.
    """
    gateway_port, console_port = free_ports(2)
    file = folder / "foregate.yaml"
    file.write_text(
        f"listen: {{gateway: 127.0.0.1:{gateway_port}, console: 127.0.0.1:{console_port}{listen}}}\n{services}\n"
        "keys:\n  - {name: test, secret: ${env:FOREGATE_TEST_KEY}}\n"
    )
    command = ("up", "-c", str(file), "--workers", str(workers))
    with started(folder, command, gateway_port, console_port) as running:
        yield running


@contextmanager
def demo(folder: Path) -> Iterator[Foregate]:
    """`foregate demo` until the block ends; then it must stop cleanly."""
    gateway_port, console_port = free_ports(2)
    addresses = ("--gateway", f"127.0.0.1:{gateway_port}", "--console", f"127.0.0.1:{console_port}")
    with started(folder, ("demo", *addresses), gateway_port, console_port) as running:
        yield running


@contextmanager
def started(folder: Path, command: tuple[str, ...], gateway_port: int, console_port: int) -> Iterator[Foregate]:
    """`foregate <command>` until the block ends; then it must stop cleanly."""
    log, data = folder / "log", folder / "data"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "foregate.app.cli", *command, "--data-dir", str(data)],
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, "FOREGATE_TEST_KEY": KEY},
            start_new_session=True,
        )
    running = Foregate(process, f"http://127.0.0.1:{gateway_port}", f"http://127.0.0.1:{console_port}", data, log)
    try:
        _wait_until_up(running)
        yield running
        if process.poll() is None:
            assert running.stop() == 0, log.read_text()[-3000:]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_up(running: Foregate) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while "foregate is up" not in running.log.read_text():
        if running.process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"foregate did not come up:\n{running.log.read_text()[-3000:]}")
        time.sleep(0.05)
