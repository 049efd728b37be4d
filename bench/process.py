"""Processes under measurement: start, wait for their port, read their CPU time and memory, stop."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

OUT = Path(__file__).parent / "out"


def _cpu_clock(pid: int) -> int:
    """The clock id of another process's CPU time: what clock_getcpuclockid(3) makes."""
    return (~pid << 3) | 2


class Missing(Exception):
    """A tool that this machine does not have; the message says which."""


def tool(name: str, *more: str) -> str:
    """The path of a program; `more` are places to look in beside PATH. Raises Missing."""
    for candidate in (name, *more):
        found = shutil.which(candidate)
        if found:
            return found
    raise Missing(f"{name} is not installed")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def cpu_s_of(pids: Sequence[int]) -> float:
    """User and system time of these processes so far, by the scheduler's own clock, exact to the nanosecond.

    /proc/<pid>/stat samples at timer ticks here, and flatters whoever runs in short bursts.
    """
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += time.clock_gettime(_cpu_clock(pid))
    return total


@dataclass
class Running:
    """A process and its children. `companions` belong to it though others started them: they count, too."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    companions: list["Running"] = field(default_factory=list)

    def pids(self) -> list[int]:
        return [*self.own_pids(), *(pid for each in self.companions for pid in each.pids())]

    def own_pids(self) -> list[int]:
        found, queue = [], [self.process.pid]
        while queue:
            pid = queue.pop()
            found.append(pid)
            with contextlib.suppress(OSError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    queue += [int(child) for child in (task / "children").read_text().split()]
        return found

    def cpu_s(self) -> float:
        """User and system time of all of them so far."""
        return cpu_s_of(self.pids())

    def own_cpu_s(self) -> float:
        """The same without the companions."""
        return cpu_s_of(self.own_pids())

    def rss_mb(self) -> float:
        """Resident memory of the process and its children, without the companions."""
        total_kb = 0
        for pid in self.own_pids():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                    if line.startswith("VmRSS:"):
                        total_kb += int(line.split()[1])
        return total_kb / 1024

    def stop(self) -> None:
        """Ask the process group to end, then make it end; the companions after it."""
        self._stop()
        for each in self.companions:
            each.stop()

    def _stop(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                continue
            return


def start(
    name: str,
    argv: Sequence[str],
    port: int | None,
    folder: Path,
    *,
    wait_s: float = 30.0,
    env: dict[str, str] | None = None,
) -> Running:
    """Start a server and wait until it accepts on `port` (None: do not). Raises RuntimeError with its last words."""
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True, env=env
        )
    running = Running(name, process, log)
    if port is None:
        return running
    until = time.monotonic() + wait_s
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return running
        time.sleep(0.05)
    running.stop()
    raise RuntimeError(f"{name} did not start: {log.read_text(errors='replace')[-2000:]}")
