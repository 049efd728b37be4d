"""The disk: shared by processes, whole after kill -9, within its bytes, and quiet when it is full."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from tests.adapters.cache.peer import LARGE, URLS, body_of
from tests.ports.cache_world import NOW_S, ON_DISK, Worker, answer, key, until

from foregate.adapters.embedded.cache.objects import Damaged
from foregate.ports.cache import Absent, DiskBody, Stored
from foregate.wire.cache import CacheStorage

ROOT = Path(__file__).parents[3]
LARGE_BODY = random.Random(1).randbytes(1_000_001)


def run(
    folder: Path, scenario: Callable[..., Awaitable[None]], workers: int = 2, settings: CacheStorage = ON_DISK
) -> None:
    async def played() -> None:
        made = [Worker(folder, number, settings) for number in range(workers)]
        try:
            await scenario(*made)
        finally:
            for worker in made:
                worker.store.close()

    asyncio.run(played())


def pieces(body: bytes, size: int = 70_001) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


def objects(folder: Path) -> list[Path]:
    return [file for file in (folder / "objects").rglob("*") if file.is_file()]


@contextmanager
def peer(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "tests.adapters.cache.peer", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


# --- shared ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"small", LARGE_BODY], ids=["empty", "small", "large"])
def test_what_one_worker_stores_is_a_hit_for_the_other(tmp_path: Path, body: bytes) -> None:
    async def scenario(worker: Worker, other: Worker) -> None:
        assert await worker.stream(key(), pieces(body), answer(b"", tags=("t",), facts={"a": "b"}))
        await until(lambda: other.store.stats().disk_objects == 1)
        assert await other.body(key()) == body
        found = await other.find(key())
        assert isinstance(found, Stored)
        assert (found.tags, found.facts, found.headers) == (("t",), {"a": "b"}, answer().headers)

    run(tmp_path, scenario)


def test_parts_of_a_large_body_are_read_by_themselves(tmp_path: Path) -> None:
    async def scenario(worker: Worker) -> None:
        assert await worker.stream(key(), pieces(LARGE_BODY), answer(b""), len(LARGE_BODY))
        await until(lambda: worker.store.stats().disk_objects == 1)
        found = await worker.find(key())
        assert isinstance(found, Stored)
        assert found.length == len(LARGE_BODY)
        assert not isinstance(found.body, bytes)
        for start, stop in ((0, 1), (65_535, 65_537), (65_536, 131_072), (999_999, 2_000_000), (0, 1_000_001)):
            assert await found.body.read(start, stop) == LARGE_BODY[start:stop]
        found.body.close()
        with pytest.raises(OSError, match="closed"):
            await found.body.read(0, 1)

    run(tmp_path, scenario, 1)


def test_a_body_is_read_to_its_end_though_it_is_replaced_meanwhile(tmp_path: Path) -> None:
    async def scenario(worker: Worker) -> None:
        assert await worker.stream(key(), pieces(LARGE_BODY), answer(b""))
        await until(lambda: worker.store.stats().disk_objects == 1)
        found = await worker.find(key())
        assert isinstance(found, Stored)
        assert not isinstance(found.body, bytes)
        half = await found.body.read(0, 500_000)
        worker.put(key(), answer(b"newer"))
        await until(lambda: len(objects(tmp_path)) == 1 and objects(tmp_path)[0].stat().st_size < 1_000)
        assert half + await found.body.read(500_000, 1_000_001) == LARGE_BODY
        found.body.close()

    run(tmp_path, scenario, 1)


def test_a_stale_answer_gives_way_to_another_workers_newer_one(tmp_path: Path) -> None:
    async def scenario(worker: Worker, other: Worker) -> None:
        worker.put(key(), answer(b"old", fresh_s=1.0))
        await until(lambda: worker.store.stats().disk_objects == 1)
        other.put(key(), answer(b"new", fresh_s=100.0))

        async def newer() -> bool:
            return await worker.body(key(), now_s=NOW_S + 50) == b"new"

        await until(newer)

    run(tmp_path, scenario)


def test_a_refresh_of_a_large_answer_gives_it_a_new_head_for_everybody(tmp_path: Path) -> None:
    async def scenario(worker: Worker, other: Worker) -> None:
        assert await worker.stream(key(), pieces(LARGE_BODY), answer(b"", fresh_s=1.0))
        await until(lambda: worker.store.stats().disk_objects == 1)
        old = await worker.find(key())
        assert isinstance(old, Stored)
        assert not isinstance(old.body, bytes)
        worker.store.refresh(key(), worker.store.moment(key()), old, answer(b"", fresh_s=500.0, tags=("new",)))
        old.body.close()

        async def refreshed() -> bool:
            found = await other.find(key())
            assert isinstance(found, Stored)
            assert not isinstance(found.body, bytes)
            body = await found.body.read(0, found.length)
            found.body.close()
            return found.tags == ("new",) and found.fresh_until_s == NOW_S + 500 and body == LARGE_BODY

        await until(refreshed)

    run(tmp_path, scenario)


def test_variants_are_found_by_another_worker(tmp_path: Path) -> None:
    async def scenario(worker: Worker, other: Worker) -> None:
        for coding in (b"gzip", b"br"):
            worker.put(key(), answer(coding, vary=(b"accept-encoding",), variant=coding))
        await until(lambda: other.store.stats().disk_objects == 3)
        assert await other.body(key(), lambda _: b"br") == b"br"
        assert await other.body(key(), lambda _: b"gzip") == b"gzip"
        assert await other.find(key(), lambda _: b"zstd") is Absent.VARIANT

    run(tmp_path, scenario)


# --- kept ------------------------------------------------------------------------------------------------------


def test_answers_survive_a_restart_and_so_does_what_voids_them(tmp_path: Path) -> None:
    async def before(worker: Worker) -> None:
        for url in ("/kept", "/purged", "/written"):
            worker.put(key(url), answer(url.encode(), tags=(url,)))
        await until(lambda: worker.store.stats().disk_objects == 3)
        worker.store.purge("tag", "/purged")
        worker.store.delete(key("/written"))

    async def after(worker: Worker) -> None:
        assert await worker.body(key("/kept")) == b"/kept"
        assert await worker.find(key("/purged")) is Absent.URI
        assert await worker.find(key("/written")) is Absent.URI

    run(tmp_path, before, 1)
    run(tmp_path, after, 1)


@pytest.mark.parametrize("harm", ["lost", "damaged", "resized"])
def test_the_index_is_made_anew_from_the_files(tmp_path: Path, harm: str) -> None:
    async def before(worker: Worker) -> None:
        for url in range(30):
            worker.put(key(f"/{url}"), answer(b"%d" % url))
        await until(lambda: worker.store.stats().disk_objects == 30)

    async def after(worker: Worker) -> None:
        await until(lambda: worker.store.stats().disk_objects == 30)
        assert [await worker.body(key(f"/{url}")) for url in range(30)] == [b"%d" % url for url in range(30)]

    run(tmp_path, before, 1)
    index, settings = tmp_path / "index.bin", ON_DISK
    if harm == "lost":
        index.unlink()
    elif harm == "damaged":
        index.write_bytes(b"nonsense")
    else:
        settings = msgspec.structs.replace(ON_DISK, disk_bytes_max=1 << 30)
    run(tmp_path, after, 1, settings)


def test_numbers_that_a_killed_writer_left_wrong_are_counted_anew(tmp_path: Path) -> None:
    async def before(worker: Worker) -> None:
        worker.put(key(), answer())
        await until(lambda: worker.store.stats().disk_objects == 1)

    async def after(worker: Worker) -> None:
        await until(lambda: (worker.store.stats().disk_objects, worker.store.stats().disk_bytes) == (1, 4_096))

    run(tmp_path, before, 1)
    with (tmp_path / "index.bin").open("r+b") as file:
        file.seek(16)
        file.write((10**12).to_bytes(8, "little") + (77).to_bytes(8, "little"))  # bytes, objects
    run(tmp_path, after, 1)


def test_after_a_restart_of_the_machine_nothing_old_is_given(tmp_path: Path) -> None:
    async def before(worker: Worker) -> None:
        worker.put(key(), answer())
        await until(lambda: worker.store.stats().disk_objects == 1)

    async def after(worker: Worker) -> None:
        assert await worker.find(key()) is Absent.URI
        worker.put(key(), answer(b"new"))
        assert await worker.body(key()) == b"new"

    run(tmp_path, before, 1)
    with (tmp_path / "purges.bin").open("r+b") as file:
        file.seek(64)
        file.write(b"another boot")
    run(tmp_path, after, 1)


def test_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    async def scenario(worker: Worker) -> None:
        worker.put(key(), answer())
        await until(lambda: worker.store.stats().disk_objects == 1)

    run(tmp_path / "cache", scenario, 1)
    for path in (tmp_path / "cache").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_disk_stays_within_its_bytes_and_keeps_what_is_used(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(ON_DISK, disk_bytes_max=2 << 20, memory_bytes_max=1 << 20)

    async def scenario(worker: Worker, other: Worker) -> None:
        for number in range(200):
            worker.put(key(f"/{number}"), answer(bytes([number]) * 30_000))
            await asyncio.sleep(0.002)
            if number >= 10:  # the other has to read them from the disk each time: its memory has no room for them
                for popular in range(5):
                    other.store.resize(msgspec.structs.replace(settings, memory_bytes_max=0))
                    await other.body(key(f"/{popular}"))
        await until(lambda: worker.store.stats().disk_evicted >= 100)
        on_disk = sum(-(-file.stat().st_size // 4_096) * 4_096 for file in objects(tmp_path))
        stats = worker.store.stats()
        assert on_disk == stats.disk_bytes <= 2 << 20
        assert stats.disk_objects == len(objects(tmp_path))
        found = [await other.body(key(f"/{number}")) is not None for number in range(200)]
        assert all(found[:5])
        assert sum(found) == stats.disk_objects

    run(tmp_path, scenario, 2, settings)


# --- harmed ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("large", [False, True])
def test_no_changed_or_cut_file_gives_a_byte_of_itself(tmp_path: Path, large: bool) -> None:
    body = LARGE_BODY if large else b"a small body" * 10
    rng = random.Random(7)

    async def harmed(worker: Worker, number: int) -> None:
        one = key(f"/{number}")
        assert await worker.stream(one, pieces(body), answer(b"", tags=("t",)))
        await until(lambda: worker.store.stats().disk_objects == 1)
        (file,) = objects(tmp_path)
        size = file.stat().st_size
        if number % 2:
            os.truncate(file, rng.randrange(size))
        else:
            with file.open("r+b") as opened:
                opened.seek(at := rng.randrange(size))
                (before,) = opened.read(1)
                opened.seek(at)
                opened.write(bytes([before ^ 1 << rng.randrange(8)]))
        worker.store._memory.remove(one.primary)  # a worker that has not got it in memory
        found = await worker.find(one)
        if isinstance(found, Stored):
            assert not isinstance(found.body, bytes), "harm to a small one shows at once"
            await _broken(found.body, body)
        assert await worker.find(one) is Absent.URI
        assert worker.store.stats().disk_damaged == number + 1
        assert objects(tmp_path) == []

    async def scenario(worker: Worker) -> None:
        for number in range(12):
            await harmed(worker, number)

    run(tmp_path, scenario, 1)


async def _broken(found: DiskBody, body: bytes) -> None:
    given, whole = b"", False
    with suppress(Damaged):
        while not whole:
            given += await found.read(len(given), len(given) + 100_000)
            whole = len(given) == found.length
    assert not whole
    assert body.startswith(given)
    found.close()


def test_a_file_that_somebody_deleted_is_a_miss(tmp_path: Path) -> None:
    async def scenario(worker: Worker, other: Worker) -> None:
        worker.put(key(), answer())
        await until(lambda: worker.store.stats().disk_objects == 1)
        objects(tmp_path)[0].unlink()
        assert await other.find(key()) is Absent.URI
        assert worker.store.stats().disk_objects == 0
        assert worker.store.stats().disk_damaged == 0

    run(tmp_path, scenario)


def test_kill_9_at_any_moment_leaves_only_whole_answers(tmp_path: Path) -> None:
    rng = random.Random(3)

    async def all_whole(worker: Worker) -> None:
        found = 0
        for url in range(URLS):
            body = await worker.body(key(f"/{url}"))
            if body is None:
                continue
            found += 1
            said, _, _ = body.partition(b";")
            number, _, version = said.partition(b"/")
            assert int(number) == url
            assert body == body_of(url, int(version))
        assert found > URLS // 2
        await until(lambda: worker.store.stats().disk_objects == len(objects(tmp_path)))
        on_disk = sum(-(-file.stat().st_size // 4_096) * 4_096 for file in objects(tmp_path))
        assert worker.store.stats().disk_bytes == on_disk
        assert worker.store.stats().disk_damaged == 0
        assert list((tmp_path / "incoming").iterdir()) == []

    for _ in range(3):
        with peer("write", str(tmp_path), "0") as one, peer("write", str(tmp_path), "1") as two:
            end_s = time.monotonic() + 20
            while len(objects(tmp_path)) < URLS - LARGE and time.monotonic() < end_s:
                time.sleep(0.01)
            time.sleep(0.2 + rng.random() * 0.3)
            for process in (one, two):
                process.send_signal(signal.SIGKILL)
                process.wait()
        run(tmp_path, all_whole, 1)


@contextmanager
def small_disk(folder: Path) -> Iterator[int]:
    """A file system of 3 MB at `folder`; where nobody may mount one, a bound for each file: bytes of that, else 0."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield 0 if mounted else 50_000
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_means_not_stored_is_said_once_and_costs_no_answer(tmp_path: Path) -> None:
    with small_disk(tmp_path / "cache") as bytes_max:
        with peer("fill", str(tmp_path / "cache"), str(bytes_max)) as process:
            output, _ = process.communicate(timeout=60)
        report = json.loads(output)
        assert report["logged"] == ["cache_disk_failed"]
        assert not report["large"]
        assert report["small"] == "y" * 60_000  # from memory
        assert report["not_stored"] >= 1
        assert list((tmp_path / "cache" / "incoming").iterdir()) == []
