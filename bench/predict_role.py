"""A real analyzer's memory, with nothing to analyze and with the stored minutes of many APIs behind it."""

import sys
import tempfile
import time
from pathlib import Path

from bench import process
from bench.predict_world import World
from foregate.adapters.embedded.series import EmbeddedSeries
from foregate.app.paths import DataDir
from foregate.wire.window import StoredWindow

MINUTES = 6  # stored of each API: memory is taken by API, not by minute
SETTLED_S = 5.0  # unchanged for so long
WAIT_S_MAX = 120.0


def analyzer_rss_mb(entities: int) -> float:
    """Start foregate on a fresh data directory and read what its analyzer holds once that does not change any more."""
    with tempfile.TemporaryDirectory(prefix="foregate-bench-") as name:
        folder = Path(name)
        data = DataDir(folder / "data")
        if entities:
            _store(data, World(entities))
        config, ports = folder / "foregate.yaml", (process.free_port(), process.free_port())
        config.write_text(f"listen: {{gateway: 127.0.0.1:{ports[0]}, console: 127.0.0.1:{ports[1]}}}\n")
        up = [sys.executable, "-m", "foregate.app.cli", "up", "-c", str(config), "--data-dir", str(data.root)]
        running = process.start("foregate", (*up, "--workers", "1"), ports[0], folder)
        try:
            return _settled(_analyzer(running))
        finally:
            running.stop()


def _store(data: DataDir, world: World) -> None:
    data.root.mkdir(parents=True, exist_ok=True)
    store = EmbeddedSeries(data.series)
    end_s = time.time() // 60 * 60 - 60.0
    for back in range(MINUTES, 0, -1):
        minute = world.minute(end_s - 60 * back)
        store.append([StoredWindow(entity, stats, b"", b"") for entity, stats in minute], {}, {})
    store.close()


def _analyzer(running: process.Running) -> int:
    until_s = time.monotonic() + WAIT_S_MAX
    while time.monotonic() < until_s:
        for pid in running.own_pids():
            if b"\0analyzer\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
        time.sleep(0.2)
    raise RuntimeError("foregate has started no analyzer")


def _settled(pid: int) -> float:
    """Its resident memory once that stays within 1 %, which is read and not what it is asked for."""
    begin_s = since_s = time.monotonic()
    known = 0.0
    while time.monotonic() - begin_s < WAIT_S_MAX and time.monotonic() - since_s < SETTLED_S:
        time.sleep(0.5)
        now = _rss_mb(pid)
        if abs(now - known) > 0.01 * known:
            known, since_s = now, time.monotonic()
    return known


def _rss_mb(pid: int) -> float:
    [line] = [each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024 / 1e6
