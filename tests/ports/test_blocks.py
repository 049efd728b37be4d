"""Blocks by name: the same cells for the same name in every process, whatever reloads, restarts and dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from foregate.adapters.embedded import blocks as embedded
from foregate.adapters.embedded.blocks import CHUNK_CELLS, MappedBlocks, open_blocks
from foregate.ports.blocks import BLOCK_CELLS_MAX

Open = Callable[..., MappedBlocks]

_ADD = """
import sys, itertools
from pathlib import Path
from foregate.adapters.embedded.blocks import open_blocks
worker, times = int(sys.argv[2]), int(sys.argv[3])
blocks = open_blocks(Path(sys.argv[1]), 3, worker)
own = blocks.claim([("mine/%d" % worker, 7), ("route/orders", 4)])[1].own
for _ in range(times) if times else itertools.count():
    own[2] += 1.0
"""


@pytest.fixture(params=["embedded"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """How to open the store as a worker (of three) or as a reader; twice gives two handles, as two processes have."""
    assert request.param == "embedded"
    opened: list[MappedBlocks] = []

    def opening(worker: int | None, **more: int) -> MappedBlocks:
        opened.append(open_blocks(tmp_path / "blocks.bin", 3, worker, **more))
        return opened[-1]

    yield opening
    for handle in opened:
        handle.close()


def test_a_name_has_the_same_cells_for_everyone_and_its_neighbours_have_others(open_store: Open) -> None:
    one, other = open_store(0), open_store(1)
    here = one.claim([("a", 2), ("b", 3)])
    there = other.claim([("c", 1), ("b", 3), ("a", 2)])
    here[1].own[2] += 1.5
    there[1].own[2] += 10.0
    assert here[1].total(2) == there[1].total(2) == 11.5
    assert here[1].each(2) == [1.5, 10.0, 0.0]
    quiet = [here[0].total(0), here[0].total(1), there[0].total(0), here[1].total(0), here[1].total(1)]
    assert quiet == [0.0] * 5


def test_claiming_again_keeps_the_numbers_and_another_size_is_another_block(open_store: Open) -> None:
    store = open_store(0)
    store.claim([("a", 2)])[0].own[1] = 4.0
    again, wider = store.claim([("a", 2), ("a", 3)])
    assert (again.total(1), wider.total(1)) == (4.0, 0.0)
    assert len(again.own) == 2
    assert len(wider.own) == 3


@pytest.mark.parametrize("index", [-1, 2])
def test_a_cell_outside_the_block_is_refused(open_store: Open, index: int) -> None:
    (block,) = open_store(0).claim([("a", 2)])
    with pytest.raises(IndexError):
        block.total(index)
    with pytest.raises(IndexError):
        block.own[2] = 1.0


@pytest.mark.parametrize("size", [0, -1, BLOCK_CELLS_MAX + 1])
def test_a_block_of_an_impossible_size_is_refused(open_store: Open, size: int) -> None:
    with pytest.raises(ValueError, match=r"a: .* cells, a block has 1 to"):
        open_store(0).claim([("a", size)])


def test_a_reader_makes_nothing_and_sees_what_is_claimed_later(open_store: Open) -> None:
    writer, reader = open_store(2), open_store(None)
    (before,) = reader.claim([("a", 2)])
    assert (before.total(1), len(before.own)) == (0.0, 0)
    names = [(f"{number}", 1000) for number in range(40)] + [("a", 2)]  # more than a chunk holds
    writer.claim(names)[-1].own[1] = 3.0
    (after,) = reader.claim([("a", 2)])
    assert after.each(1) == [0.0, 0.0, 3.0]
    assert len(after.own) == 0


def test_there_is_no_reader_without_a_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no blocks of 2 workers"):
        open_blocks(tmp_path / "none.bin", 2, None)
    assert list(tmp_path.iterdir()) == []


def test_names_beyond_the_bound_share_one_block_and_are_counted(open_store: Open) -> None:
    store, reader = open_store(0, chunks_max=1), open_store(None)
    wanted = [(f"{number}", 1024) for number in range(CHUNK_CELLS // 1024 + 3)]
    blocks = store.claim(wanted)
    lost = [number for number, block in enumerate(blocks) if block is blocks[-1]]
    assert store.overflowed() == reader.overflowed() == len(lost) > 3
    blocks[lost[0]].own[5] += 1.0
    assert blocks[lost[1]].total(5) == 1.0
    assert all(block.total(5) == 0.0 for block in blocks[: lost[0]])
    store.claim(wanted[:2])  # those that have cells of their own say nothing of the others
    assert reader.overflowed() == len(lost)
    store.claim([*wanted[-2:], ("one more", 1024)])
    assert reader.overflowed() == len(lost) + 1


def test_no_more_names_without_a_block_are_told_apart_than_the_bound(
    open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "HOMELESS_MAX", 5)
    store = open_store(0, chunks_max=1)
    for number in range(CHUNK_CELLS // 1024 + 10):
        store.claim([(f"{number}", 1024)])
    assert store.overflowed() == 5


def test_a_full_disk_makes_names_share_a_block_until_there_is_room(
    open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(0)
    wanted = [(f"{number}", 1024) for number in range(20)]

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        assert store.claim(wanted)[0] is not store.claim(wanted)[-1]
        assert store.overflowed() > 0
    store.claim(wanted)
    assert store.overflowed() == 0


def test_numbers_outlive_restarts_but_not_another_number_of_workers(tmp_path: Path) -> None:
    path = tmp_path / "blocks.bin"
    totals = []
    for workers in (2, 2, 3):
        store = open_blocks(path, workers, 0)
        block = store.claim([("a", 2)])[0]
        block.own[1] += 1.0
        totals.append(block.total(1))
        store.close()
    assert totals == [1.0, 2.0, 1.0]


@pytest.mark.parametrize("junk", [b"", b"short", b"x" * 128, embedded._HEADER.pack(b"FGBLCK01", 2, 16_384, 2_047)])
def test_a_damaged_file_is_made_anew(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "blocks.bin").write_bytes(junk)
    store = open_blocks(tmp_path / "blocks.bin", 2, 1)
    assert store.claim([("a", 2)])[0].total(0) == 0.0
    store.close()


def test_processes_that_claim_at_once_lose_no_write_nor_does_kill_9(open_store: Open, tmp_path: Path) -> None:
    path = str(tmp_path / "blocks.bin")
    counting = [subprocess.Popen([sys.executable, "-c", _ADD, path, str(n), "100000"]) for n in (0, 1)]
    killed = subprocess.Popen([sys.executable, "-c", _ADD, path, "2", "0"])
    assert [process.wait(60) for process in counting] == [0, 0]
    reader = open_store(None)
    while reader.claim([("route/orders", 4)])[0].each(2)[2] < 1000.0:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait(10)
    successor = open_store(2).claim([("route/orders", 4)])[0]
    assert successor.each(2)[:2] == [100_000.0, 100_000.0]
    assert successor.own[2] >= 1000.0


def test_ten_thousand_routes_are_claimed_in_the_time_of_a_reload(open_store: Open) -> None:
    wanted = [(f"route/orders//orders/{number}", 24) for number in range(10_000)]
    spent = []
    for worker in (0, 1, 2):
        began = time.process_time()
        blocks = open_store(worker).claim(wanted)
        spent.append(time.process_time() - began)
        blocks[-1].own[23] = 1.0
    assert blocks[-1].total(23) == 3.0
    assert min(spent) < 0.15
