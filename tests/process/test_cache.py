"""The cache of a running foregate: shared by its workers, purged from outside, kept over kill -9 and restarts."""

import http.client
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.process.harness import Foregate, foregate

from foregate.app.cache_desk import CacheDesk
from foregate.app.paths import DataDir
from foregate.ports.cache import PurgeKind

CONNECTIONS = 12  # the kernel spreads them over the workers
MEMORY_BYTES = 8 << 20
CONFIG = """
cache: {{memory_bytes_max: 8388608, disk_bytes_max: 67108864}}
services: {{a: {{targets: ['{url}']}}}}
routes:
  - {{path: /a, service: a, auth: none, policies: {{cache: {{share: public}}}}}}
"""


class Origin:
    """Every answer says which one it is; it may be kept for an hour, and has a tag."""

    def __init__(self) -> None:
        numbers = itertools.count(1)
        origin = self
        self.asked = 0

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                origin.asked += 1
                body = b"%d" % next(numbers)
                self.send_response(200)
                self.send_header("Cache-Control", "public, max-age=3600")
                self.send_header("Cache-Tag", "things")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def origin() -> Iterator[Origin]:
    made = Origin()
    yield made
    made.close()


@contextmanager
def connections(running: Foregate) -> Iterator[list[http.client.HTTPConnection]]:
    where = urlsplit(running.gateway)
    made = [http.client.HTTPConnection(where.hostname or "", where.port, timeout=10) for _ in range(CONNECTIONS)]
    yield made
    for each in made:
        each.close()


def ask(connection: http.client.HTTPConnection, path: str = "/a/thing") -> tuple[int, str]:
    """(which answer of the origin's it is, X-Cache)."""
    connection.request("GET", path, headers={"Host": "api.test"})
    answer = connection.getresponse()
    return int(answer.read()), answer.headers["X-Cache"]


def command(running: Foregate, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "foregate.app.cli", "cache", *arguments, "--data-dir", str(running.data)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def settled(running: Foregate, objects: int) -> None:
    """What was stored has come to the disk: so many at least, and no more are coming (some may be of before)."""
    end_s, rest_s, seen = time.monotonic() + 10, 0.0, -1
    while seen < objects or time.monotonic() < rest_s:
        assert time.monotonic() < end_s
        there = len([file for file in (running.data / "cache/objects").rglob("*-*") if file.is_file()])
        if there != seen:
            seen, rest_s = there, time.monotonic() + 0.3
        time.sleep(0.01)


def purged_at_once(running: Foregate, origin: Origin) -> None:
    desk = CacheDesk(DataDir(running.data))
    purges: tuple[tuple[PurgeKind, str], ...] = (("url", "/a/thing"), ("prefix", "/a"), ("prefix", "api.test/"))
    with connections(running) as clients:
        for kind, pattern in (*purges, ("tag", "things")):
            ask(clients[0])
            settled(running, 1)
            newest = origin.asked
            assert {ask(client)[1] for client in clients} == {"HIT"}
            if kind == "tag":
                assert command(running, "purge", "--tag", pattern) == "purged tag things\n"
            else:
                desk.purge(kind, pattern)
            after = [ask(client)[0] for client in clients]
            assert min(after) > newest, (kind, pattern)


def kept_over_kill_9(running: Foregate, origin: Origin) -> dict[int, int]:
    """Path → which answer of the origin's it has."""
    with connections(running) as clients:
        there = {number: ask(clients[0], f"/a/{number}")[0] for number in range(20)}
    settled(running, 20)
    for name in ("gateway-0", "gateway-1"):
        running.wait_until_back(name, running.kill(name))
    with connections(running) as clients:
        for client in clients:
            assert {number: ask(client, f"/a/{number}") for number in there} == {
                number: (answer, "HIT") for number, answer in there.items()
            }
    return there


def bounds_follow_a_reload(running: Foregate) -> None:
    desk = CacheDesk(DataDir(running.data))
    file = running.data.parent / "foregate.yaml"
    file.write_text(file.read_text().replace(str(MEMORY_BYTES), str(2 * MEMORY_BYTES)))
    end_s = time.monotonic() + 10
    while desk.stats().memory_bytes_max != 4 * MEMORY_BYTES:
        assert time.monotonic() < end_s, desk.stats()
        time.sleep(0.02)


def test_purges_reach_all_workers_and_answers_survive_kill_9_reloads_and_restarts(
    tmp_path: Path, origin: Origin
) -> None:
    config = CONFIG.format(url=origin.url)
    with foregate(tmp_path, config) as running:
        purged_at_once(running, origin)
        there = kept_over_kill_9(running, origin)
        bounds_follow_a_reload(running)
    asked = origin.asked
    with foregate(tmp_path, config) as running, connections(running) as clients:
        assert {ask(client, "/a/3") for client in clients} == {(there[3], "HIT")}
    assert origin.asked == asked
