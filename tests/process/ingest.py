"""A real ingest process over a data directory, to be killed and started again."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foregate.adapters.embedded.blocks import open_blocks
from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.app.listeners import free_ports
from foregate.app.paths import DataDir
from foregate.app.runtime import Runtime, write_ingest, write_runtime
from foregate.kernel.clock import SystemClock
from foregate.kernel.secrets import hash_key
from foregate.telemetry.ingest import INTAKE_ROWS, Taken, read_counts
from foregate.wire.accounts import Kind
from foregate.wire.ingest import Ingest, IngestKey

SECRET = "fg_test_0123456789abcdefghij"
START_TIMEOUT_S = 20.0


@dataclass
class Ingesting:
    """One or several processes that share a port."""

    data: DataDir
    port: int
    log: Path
    workers: int
    limits: Callable[[], None] | None
    processes: list[subprocess.Popen[bytes]]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, status: int = 200) -> None:
        """All processes; returns when they listen, and are ready, or (503) answer that they are not."""
        listening = self._listening()
        for worker in range(self.workers):
            argv = [sys.executable, "-P", "-m", "foregate.app.roles", "ingest", "--data-dir", str(self.data.root)]
            with self.log.open("ab") as out:
                self.processes.append(
                    subprocess.Popen([*argv, "--worker", str(worker)], stdout=out, stderr=out, preexec_fn=self.limits)
                )
        self.until_ready(status)
        until = time.monotonic() + START_TIMEOUT_S
        while self._listening() < listening + self.workers:
            assert time.monotonic() < until, self.log.read_text()[-3000:]
            time.sleep(0.02)

    def _listening(self) -> int:
        """How often a process has said that it listens."""
        return self.log.read_bytes().count(b'"taking_in"') if self.log.exists() else 0

    def until_ready(self, status: int = 200) -> None:
        """Wait for this answer to whether it is ready."""
        until = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < until:
            if self._ready() == status:
                return
            time.sleep(0.02)
        raise AssertionError(f"ingest did not start:\n{self.log.read_text()[-3000:]}")

    def _ready(self) -> int:
        """The status of its answer; 0 where there is none."""
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready", timeout=1) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def kill(self) -> None:
        """kill -9 of all of them."""
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes.clear()

    def stop(self) -> list[int]:
        """In good order; their exit statuses."""
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        found = [process.wait(20.0) for process in self.processes]
        self.processes.clear()
        return found

    def rss_bytes(self) -> int:
        pages = sum(int(Path(f"/proc/{one.pid}/statm").read_text().split()[1]) for one in self.processes)
        return pages * os.sysconf("SC_PAGE_SIZE")

    def stored(self, topic: str, decode: Callable[[bytes], list[Any]]) -> list[Any]:
        """All items of a topic on the bus."""
        bus = EmbeddedBus(self.data.bus, SystemClock())
        found = [
            item
            for partition in range(bus.partitions)
            for batch in bus.read(topic, partition, -1, 1_000_000)
            for item in decode(batch.payload)
        ]
        bus.close()
        return found

    def counts(self) -> dict[Kind, Taken]:
        blocks = open_blocks(self.data.ingest_counts, INTAKE_ROWS, None)
        found = read_counts(blocks)
        blocks.close()
        return found


@contextmanager
def ingesting(
    folder: Path, *, workers: int = 1, limits: Callable[[], None] | None = None, **settings: Any
) -> Iterator[Ingesting]:
    """Started; `limits` is called in each process before it begins."""
    data = DataDir(folder / "data")
    data.create()
    (port,) = free_ports(1)
    keys: Sequence[IngestKey] = (IngestKey("sender", hash_key(SECRET, data.pepper()), "acme", items_per_s=1e7),)
    write_runtime(data, Runtime("127.0.0.1", 0, "", 1, 0.8, ingest_workers=workers))
    write_ingest(data, Ingest((f"127.0.0.1:{port}",), tuple(keys), workers=workers, **settings))
    running = Ingesting(data, port, folder / "ingest.log", workers, limits, [])
    try:
        running.start()
        yield running
    finally:
        running.kill()
