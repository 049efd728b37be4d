"""One worker's cache as a whole: bounds that change, clocks that go back, a disk that comes and goes."""

import asyncio
import errno
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.ports.cache_world import ON_DISK, SETTINGS, Worker, answer, key, until

from foregate.adapters.embedded.cache import disk as disk_module
from foregate.adapters.embedded.cache.folder import Folder
from foregate.kernel.clock import ManualClock
from foregate.ports.cache import Absent

ENCODING = (b"accept-encoding",)


def gzip(_: tuple[bytes, ...]) -> bytes:
    return b"gzip"


def test_a_variant_that_is_asked_for_stays_reachable_whatever_else_is_stored(tmp_path: Path) -> None:
    async def scenario() -> None:
        worker = Worker(tmp_path, 0, SETTINGS)
        worker.put(key(), answer(b"zipped", vary=ENCODING, variant=b"gzip"))
        for number in range(3_000):
            worker.put(key(f"/{number}"), answer(b"x" * 1_000))
            assert await worker.body(key(), gzip) == b"zipped"
        worker.store.close()

    asyncio.run(scenario())


def test_a_large_answer_takes_the_place_of_a_small_one_in_memory(tmp_path: Path) -> None:
    async def scenario() -> None:
        worker = Worker(tmp_path, 0, ON_DISK)
        worker.put(key(), answer(b"small"))
        assert await worker.stream(key(), [b"x" * 500_000], answer(b""))

        async def large() -> bool:
            return await worker.body(key()) == b"x" * 500_000

        await until(large)
        worker.store.close()

    asyncio.run(scenario())


def test_what_is_put_while_an_older_one_is_read_from_the_disk_stays(tmp_path: Path) -> None:
    async def scenario() -> None:
        worker, other = Worker(tmp_path, 0, ON_DISK), Worker(tmp_path, 1, ON_DISK)
        worker.put(key(), answer(b"old"))
        await until(lambda: other.store.stats().disk_objects == 1)
        reading = asyncio.ensure_future(other.body(key()))
        await asyncio.sleep(0)
        other.put(key(), answer(b"new"))
        await reading
        assert await other.body(key()) == b"new"
        for each in (worker, other):
            each.store.close()

    asyncio.run(scenario())


def test_the_newest_is_found_though_the_clock_was_set_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        clock = ManualClock()
        worker = Worker(tmp_path, 0, ON_DISK, clock)
        worker.put(key(), answer(b"old"))
        await until(lambda: worker.store.stats().disk_objects == 1)
        clock.jump_to(clock.now() - 86_400)
        other = Worker(tmp_path, 1, ON_DISK, clock)
        other.put(key(), answer(b"new"))
        third = Worker(tmp_path, 2, ON_DISK, clock)

        async def newer() -> bool:
            third.store._memory.remove(key().primary)
            return await third.body(key()) == b"new"

        await until(newer)
        for each in (worker, other, third):
            each.store.close()

    asyncio.run(scenario())


def test_memory_and_disk_follow_other_bounds_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        worker = Worker(tmp_path, 0, SETTINGS)
        store = worker.store
        for number in range(100):
            worker.put(key(f"/{number}"), answer(b"x" * 5_000))
        store.resize(msgspec.structs.replace(ON_DISK, memory_bytes_max=100_000))
        assert store.stats().memory_bytes <= 100_000
        assert store.stats().memory_objects > 0
        for number in range(100):
            worker.put(key(f"/{number}"), answer(b"y" * 5_000))
        await until(lambda: store.stats().disk_objects == 100)
        store.resize(msgspec.structs.replace(ON_DISK, memory_bytes_max=100_000, disk_bytes_max=200_000))
        await until(lambda: store.stats().disk_bytes <= 200_000)
        store.resize(msgspec.structs.replace(SETTINGS, memory_bytes_max=100_000))
        assert store.stats().disk_bytes_max == 0
        found = [await worker.body(key(f"/{number}")) for number in range(100)]
        assert found.count(b"y" * 5_000) == store.stats().memory_objects
        store.resize(ON_DISK)
        await until(lambda: store.stats().disk_bytes_max == ON_DISK.disk_bytes_max)
        found = [await worker.body(key(f"/{number}")) for number in range(100)]
        assert found.count(b"y" * 5_000) > 20
        store.close()

    asyncio.run(scenario())


def test_a_disk_that_fails_is_left_alone_for_a_while_and_its_recovery_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, broken, tried = Folder.enter, True, 0

    def enter(*arguments: Any) -> None:
        nonlocal tried
        tried += 1
        if broken:
            raise OSError(errno.EIO, "Input/output error")
        real(*arguments)

    monkeypatch.setattr(Folder, "enter", enter)

    async def scenario() -> None:
        nonlocal broken
        clock = ManualClock()
        worker = Worker(tmp_path, 0, ON_DISK, clock)
        assert worker.put(key("/0"), answer())
        await until(lambda: worker.logged)
        for number in range(20):
            assert worker.put(key(f"/{number}"), answer())  # in memory
            assert await worker.body(key(f"/{number}")) == b"hello"
        assert await worker.stream(key("/large"), [b"x" * 500_000], answer(b"")) is False
        assert tried == 1
        broken = False
        clock.advance(disk_module.RETRY_S)
        worker.put(key(), answer())
        await until(lambda: worker.store.stats().disk_objects == 1)
        await until(lambda: len(worker.logged) == 2)
        assert [what for what, _ in worker.logged] == ["cache_disk_failed", "cache_disk_recovered"]
        assert list((tmp_path / "incoming").iterdir()) == []
        worker.store.close()

    asyncio.run(scenario())


def test_more_than_may_wait_for_the_disk_is_not_stored_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_module, "BACKLOG_BYTES_MAX", 1_000_000)

    async def scenario() -> None:
        worker = Worker(tmp_path, 0, ON_DISK)
        put = [worker.put(key(f"/{number}"), answer(b"x" * 90_000)) for number in range(20)]
        assert all(put)
        large = key("/large")
        writer = worker.store.begin(large, worker.store.moment(large), answer(b""))
        assert writer is not None
        assert not writer.append(b"y" * 900_000)
        assert not writer.commit()
        await until(lambda: worker.store.stats().disk_objects > 0)
        await asyncio.sleep(0.1)
        assert 5 <= worker.store.stats().disk_objects <= 10
        assert await worker.find(large) is Absent.URI
        assert worker.store._disk is not None
        assert worker.store._disk._backlog_bytes == 0
        worker.store.close()

    asyncio.run(scenario())
