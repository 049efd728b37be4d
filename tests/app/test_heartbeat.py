"""A worker that hangs is noticed; one that starts slowly, or whose supervisor slept, is left alone."""

import asyncio
import os
from pathlib import Path

import pytest
from structlog.testing import CapturingLogger

from foregate.adapters.embedded.blocks import CHUNK_NAMES, MappedBlocks, open_blocks
from foregate.app.asking import worker_versions
from foregate.app.heartbeat import HUNG_LOOKS, SILENT_S, START_LOOKS, Beats, Pulse, beat, claim_beat
from foregate.app.paths import DataDir
from foregate.app.roles import gateway as gateway_role
from foregate.app.roles.options import RoleOptions
from foregate.app.runtime import Runtime
from foregate.gateway.layout import CONFIG_VERSION, WORKER, WORKER_CELLS
from foregate.kernel.clock import SystemClock
from foregate.ports.blocks import Blocks
from foregate.wire.snapshot import Snapshot, encode_snapshot


def looks_until_hung(pulse: Pulse, pid: int, beat_s: float) -> int:
    return next(number for number in range(1, 1_000) if pulse.look(pid, beat_s))


def test_a_worker_that_beats_is_left_alone() -> None:
    pulse = Pulse()
    assert not any(pulse.look(7, float(second)) for second in range(1_000))


def test_a_worker_that_has_stopped_beating_hangs_after_its_looks() -> None:
    pulse = Pulse()
    pulse.look(7, 1.0)
    pulse.look(7, 2.0)
    assert looks_until_hung(pulse, 7, 2.0) == HUNG_LOOKS


def test_one_that_starts_has_longer_and_is_not_judged_by_the_beats_of_the_one_before() -> None:
    pulse = Pulse()
    for second in range(10):
        pulse.look(7, float(second))
    assert not any(pulse.look(None, 9.0) for _ in range(1_000))  # dead: its keeper waits
    pulse.look(8, 9.0)
    assert looks_until_hung(pulse, 8, 9.0) == START_LOOKS


def test_a_beat_is_read_by_others_and_without_one_a_version_is_not_believed(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    with pytest.raises(OSError, match="counters"):
        Beats(data, 2).last_s()
    blocks, clock = open_blocks(data.counters, 2, 1), SystemClock()
    beats = Beats(data, 2)
    assert beats.last_s() == [None, None]
    (cells,) = blocks.claim([(WORKER, WORKER_CELLS)])
    cells.own[CONFIG_VERSION] = 0xABC
    assert worker_versions(data, 2, clock.monotonic()) == {"gateway-0": None, "gateway-1": None}

    async def one_beat() -> None:
        beating = asyncio.get_running_loop().create_task(beat(blocks, clock))
        await asyncio.sleep(0)
        beating.cancel()

    asyncio.run(one_beat())
    first, second = beats.last_s()
    assert first == 0.0
    assert second is not None
    assert second > 0.0
    assert worker_versions(data, 2, second)["gateway-1"] == "000000000abc"
    assert worker_versions(data, 2, second + SILENT_S + 0.1)["gateway-1"] is None
    os.unlink(data.counters)  # a file made anew is found
    blocks = open_blocks(data.counters, 2, 0)
    assert claim_beat(blocks) is not None
    assert beats.last_s() == [0.0, 0.0]
    beats.close()
    blocks.close()


FULL = [(f"t/{number}", 4) for number in range(CHUNK_NAMES)]  # more names than a chunk holds


async def beat_once(*workers: Blocks) -> None:
    beating = [asyncio.get_running_loop().create_task(beat(blocks, SystemClock())) for blocks in workers]
    await asyncio.sleep(0)
    for one in beating:
        one.cancel()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_has_no_place_to_beat_in_is_not_judged(tmp_path: Path, workers: int) -> None:
    data = DataDir(tmp_path)
    handles = [open_blocks(data.counters, workers, worker, chunks_max=1) for worker in range(workers)]
    shared = handles[0].claim(FULL)[-1].own
    beats, pulse = Beats(data, workers), Pulse()
    asyncio.run(beat_once(*handles))
    assert not any(shared)  # nor does it write where others count
    for _ in range(3 * START_LOOKS):
        assert not pulse.look(7, beats.last_s()[0])
    beats.close()


def test_a_worker_that_finds_room_later_than_another_beats_too(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    first, second = (open_blocks(data.counters, 2, worker, chunks_max=worker + 1) for worker in range(2))
    first.claim(FULL)
    assert claim_beat(first) is None
    assert claim_beat(second) is not None
    asyncio.run(beat_once(first, second))
    beats = Beats(data, 2)
    assert all(beats.last_s())
    beats.close()


def test_the_worker_claims_its_heartbeat_before_the_gateway_takes_the_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, claimed = DataDir(tmp_path), list[bool]()
    data.create()
    data.snapshot.write_bytes(encode_snapshot(Snapshot(version="0")))

    def gateway(*_: object, blocks: MappedBlocks, **__: object) -> None:
        claimed.append(blocks.has("worker/heartbeat", 1))
        raise OSError("far enough")

    monkeypatch.setattr("foregate.app.roles.gateway.Gateway", gateway)
    runtime, log = Runtime("127.0.0.1", 0, "", workers=1, alert_threshold=0.8), CapturingLogger()
    with pytest.raises(OSError, match="far enough"):
        asyncio.run(gateway_role._main(RoleOptions("gateway", data), runtime, 100, log))
    assert claimed == [True]
