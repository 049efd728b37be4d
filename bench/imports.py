"""Importing an access log: `python -m bench imports [--lines N] [--file access.log]`.

The log is nginx's own, made here by nginx under wrk with the combined format and its durations; or any other, with
`--file`. Lines per second and CPU per line; then foregate reads what was imported, and its windows are compared with
what `wc`, `grep` and `awk` count in the file.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

from bench import peers, process
from bench.report import Goal, Outcome, finish, say
from foregate.adapters.embedded.series import EmbeddedSeries

_LOG = """
  log_format timed '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" '
                   '"$http_user_agent" $request_time';
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    access_log {log} timed buffer=256k;
    location / {{ return 200 'ok'; }}
    location /gone {{ return 404; }}
    location /broken {{ return 500; }}
  }}
"""
_ASK = """
local sent = 0
local kinds = { "/orders/", "/users/", "/carts/", "/gone/", "/broken/" }
function request()
  sent = sent + 1
  local kind = sent % 50
  local at = kind == 0 and 5 or kind < 3 and 4 or kind % 3 + 1
  return wrk.format(nil, kinds[at] .. sent .. "?page=" .. sent % 7)
end
"""
_READ_WITHIN_S = 120.0


def access_log(folder: Path, lines: int) -> Path:
    """About so many lines that nginx has written."""
    log, port = folder / "access.log", process.free_port()
    nginx = peers.nginx("logging", folder, port, _LOG.format(port=port, log=log))
    script = folder / "ask.lua"
    script.write_text(_ASK)
    try:
        while not log.exists() or sum(1 for _ in log.open("rb")) < lines:
            argv = [process.tool("wrk"), "-t1", "-c16", "-d5s", "-s", str(script), f"http://127.0.0.1:{port}/"]
            subprocess.run(argv, check=True, capture_output=True)
    finally:
        nginx.stop()  # it writes what it has buffered
    return log


def counted(log: Path) -> dict[str, int]:
    """What other programs count: lines, and lines by status class."""
    lines = int(subprocess.run(["wc", "-l", str(log)], check=True, capture_output=True, text=True).stdout.split()[0])
    told = subprocess.run(["awk", "{print $9}", str(log)], check=True, capture_output=True, text=True).stdout
    classes = Counter(status[0] for status in told.split() if re.fullmatch(r"\d{3}", status))
    return {"lines": lines, "errors": classes["5"], "client_errors": classes["4"]}


def imported(log: Path, data: Path) -> dict[str, float]:
    """Seconds, and CPU, of `foregate import`."""
    before = os.times()
    begin_s = time.monotonic()
    argv = [sys.executable, "-m", "foregate.app.cli", "import", str(log), "--data-dir", str(data), "--service", "shop"]
    subprocess.run(argv, check=True, stdout=sys.stderr)
    after = os.times()
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return {"seconds": time.monotonic() - begin_s, "cpu_s": cpu_s}


def windows(data: Path, lines: int) -> dict[str, int]:
    """The same, as the windows have it, once they have all."""
    deadline_s = time.monotonic() + _READ_WITHIN_S
    while True:
        with closing(EmbeddedSeries(data / "series.sqlite")) as series:
            found = [window.stats for window in series.scan(900, 0.0, 1e11, rows_max=4_000_000, sketches="none")]
        sums = {
            "lines": sum(each.requests for each in found),
            "errors": sum(each.errors for each in found),
            "client_errors": sum(each.client_errors for each in found),
        }
        if sums["lines"] >= lines or time.monotonic() > deadline_s:
            return sums
        time.sleep(1.0)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench imports")
    parser.add_argument("--lines", type=int, default=500_000)
    parser.add_argument("--file", type=Path)
    given = parser.parse_args(argv)
    outcome = Outcome()
    with tempfile.TemporaryDirectory(prefix="foregate-bench-") as name:
        folder = Path(name)
        log = given.file or access_log(folder, given.lines)
        config = folder / "foregate.yaml"
        ports = process.free_port(), process.free_port()
        config.write_text(f"listen: {{gateway: 127.0.0.1:{ports[0]}, console: 127.0.0.1:{ports[1]}}}\n")
        up = [sys.executable, "-m", "foregate.app.cli", "up", "-c", str(config), "--data-dir", str(folder / "data")]
        running = process.start("foregate", (*up, "--workers", "1"), ports[0], folder)
        try:
            took = imported(log, folder / "data")
            expected = counted(log)
            found = windows(folder / "data", expected["lines"])
        finally:
            running.stop()
    lines = expected["lines"]
    say(f"{lines:,} lines in {took['seconds']:.1f} s: {lines / took['seconds']:,.0f} lines/s")
    say(f"{1e6 * took['cpu_s'] / lines:.1f} µs of CPU a line; others count {expected}, the windows {found}")
    outcome.facts = {"lines": lines, **took, "counted": expected, "windows": found}
    for what, number in expected.items():
        outcome.goals.append(Goal(f"{what} in the windows beside those counted", found[what] - number, 0, 0))
    return finish("imports", outcome)
