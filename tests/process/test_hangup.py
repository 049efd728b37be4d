"""A foregate that was started from a terminal ends with it: SIGHUP asks for a reload only while that is there."""

import os
import pty
import sys
import time
from pathlib import Path

from foregate.app.listeners import free_ports

START_S = 40.0
STOP_S = 30.0


def test_when_its_terminal_is_closed_it_stops_in_good_order(tmp_path: Path) -> None:
    gateway, console = free_ports(2)
    file = tmp_path / "foregate.yaml"
    file.write_text(f"listen: {{gateway: 127.0.0.1:{gateway}, console: 127.0.0.1:{console}}}\n")
    command = ["-m", "foregate.app.cli", "up", "-c", str(file), "--data-dir", str(tmp_path / "data"), "--workers", "1"]
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, *command])  # in a session of its own, with the terminal as its own
    seen = b""
    deadline = time.monotonic() + START_S
    while b"foregate is up" not in seen:
        assert time.monotonic() < deadline, seen[-2_000:]
        seen += os.read(terminal, 65_536)
    os.close(terminal)
    deadline = time.monotonic() + STOP_S
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(child, 9)
            os.waitpid(child, 0)
            raise AssertionError("it went on without its terminal")
        time.sleep(0.05)
    assert not os.WIFSIGNALED(ended[1]), ended
