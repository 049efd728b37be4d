"""GET /cache and POST /cache/purge: what the workers' cache holds, and having it let go of something."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.control.world import Answer, Console, console, world
from tests.ports.cache_world import SETTINGS, Worker, answer, key
from typer.testing import CliRunner

from foregate.adapters.embedded.blocks import open_blocks
from foregate.app.cache_desk import CacheDesk
from foregate.app.cli import cache
from foregate.app.paths import DataDir
from foregate.app.runtime import Runtime, write_runtime
from foregate.gateway import layout


def purge(served: Console, command: dict[str, str]) -> Answer:
    return served.ask(
        "/api/v1/cache/purge",
        "POST",
        headers={"Content-Type": "application/json"},
        body=json.dumps(command).encode(),
    )


@pytest.fixture
def data(tmp_path: Path) -> DataDir:
    made = DataDir(tmp_path / "data")
    made.create()
    write_runtime(made, Runtime("127.0.0.1", 1, "http://127.0.0.1:1", 2, 0.8))
    return made


@pytest.fixture
def served(tmp_path: Path, data: DataDir) -> Iterator[Console]:
    (tmp_path / "stores").mkdir()
    with world(tmp_path / "stores") as here, console(here.deps(cache=CacheDesk(data))) as made:
        yield made


@pytest.mark.parametrize(("command", "left"), [({"tag": "t"}, "/b"), ({"prefix": "api.test/b"}, "/a")])
def test_a_purge_reaches_a_worker_with_its_next_request(
    served: Console, data: DataDir, command: dict[str, str], left: str
) -> None:
    worker = Worker(data.cache, 0, SETTINGS)
    worker.put(key("/a"), answer(tags=("t",)))
    worker.put(key("/b"), answer())
    purged = purge(served, command)
    assert purged.status == 200, purged
    assert purged.json()["org"] is None
    found = {url: asyncio.run(worker.body(key(url))) for url in ("/a", "/b")}
    assert [url for url, body in found.items() if body] == [left]
    worker.store.close()


@pytest.mark.parametrize(
    "command", [{}, {"url": "/a", "tag": "t"}, {"url": ""}, {"urls": "/a"}, {"tag": "ü" * 4_096 + "x"}, {"org": "acme"}]
)
def test_what_names_nothing_or_two_things_answers_400(served: Console, data: DataDir, command: dict[str, str]) -> None:
    Worker(data.cache, 0, SETTINGS).store.close()
    answered = purge(served, command)
    assert (answered.status, answered.json()["code"]) == (400, "invalid_parameter")


def test_before_a_gateway_has_begun_there_is_nothing_to_purge(served: Console) -> None:
    answered = purge(served, {"url": "/a"})
    assert (answered.status, answered.json()["code"]) == (404, "not_found")
    assert served.ask("/api/v1/cache").status == 404


def test_the_numbers_are_those_of_all_workers_together(served: Console, data: DataDir) -> None:
    for number in range(2):
        blocks = open_blocks(data.counters, 2, number)
        (block,) = blocks.claim([(layout.CACHE, layout.CACHE_CELLS)])
        block.own[layout.CACHE_MEMORY_BYTES] = 100.0
        block.own[layout.CACHE_DISK_BYTES] = 5_000.0
        blocks.close()
    found = served.get("/cache")
    assert (found["memory_bytes"], found["disk_bytes"]) == (200, 5_000)
    said = CliRunner().invoke(cache.app, ["stats", "--data-dir", str(data.root)])
    assert said.stdout.splitlines()[0].split() == ["memory_bytes", "200"]


@pytest.mark.parametrize(
    ("arguments", "code"), [([], 2), (["--url", "/a", "--tag", "t"], 2), (["--url", ""], 2), (["--url", "/a"], 3)]
)
def test_a_command_that_purges_nothing_says_so(tmp_path: Path, arguments: list[str], code: int) -> None:
    data = tmp_path / "data"
    if code == 2:
        Worker(data / "cache", 0, SETTINGS).store.close()
    said = CliRunner().invoke(cache.app, ["purge", "--data-dir", str(data), *arguments])
    assert (said.exit_code, said.stdout) == (code, "")
    assert said.stderr.startswith("error: ")
    assert data.exists() == (code == 2)
