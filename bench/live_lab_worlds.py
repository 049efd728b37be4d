"""`python -m bench.live_lab_worlds ORDER NOTES`: one process of the live lab's worlds, as `live-lab` starts them.

ORDER: JSON, {world: LabConfig}. NOTES: JSON lines that this process appends as it runs; `Begun` for each world, and
every ten seconds a `Slice` that says how late the loop was. It runs until its standard input closes.
"""

import asyncio
import gc
import resource
import sys
import time
from pathlib import Path
from typing import BinaryIO

import msgspec
import uvloop

from bench.report import percentile
from foregate.kernel.clock import SystemClock
from foregate.kernel.tasks import report_to_stderr
from foregate.lab import LabConfig
from foregate.lab.live.worlds import Worlds

LOOK_S = 0.02  # how often the loop is asked whether it is on time
SLICE_S = 10.0
_GC_THRESHOLDS = 100_000, 20, 50  # a collection of all worlds' objects would stop them all


class Begun(msgspec.Struct, frozen=True, tag=True):
    """A world's time runs from `time_s` on (Unix seconds)."""

    world: str
    time_s: float


class Slice(msgspec.Struct, frozen=True, tag=True):
    """The `SLICE_S` seconds before `time_s`. `late_*_ms`: how late a timer fired; `cpu`: share of one core; `shed`:
    visits of all worlds, since the beginning, that were not sent because too many were under way."""

    time_s: float
    late_p50_ms: float
    late_p95_ms: float
    late_max_ms: float
    cpu: float
    shed: int


def main(argv: list[str]) -> None:
    order, notes = Path(argv[0]), Path(argv[1])
    configs = msgspec.json.decode(order.read_bytes(), type=dict[str, LabConfig])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a world in trouble has hundreds of connections
    with notes.open("ab", buffering=0) as out:
        uvloop.run(_run(configs, out))


async def _run(configs: dict[str, LabConfig], out: BinaryIO) -> None:
    worlds = Worlds(configs, SystemClock(), report_to_stderr)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), stop.set)

    def note(what: Begun | Slice) -> None:
        out.write(msgspec.json.encode(what) + b"\n")

    try:
        await worlds.start()
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        await worlds.begin(lambda name: note(Begun(name, time.time())))
        while not stop.is_set():
            note(await _slice(worlds))
    finally:
        await worlds.close()


async def _slice(worlds: Worlds) -> Slice:
    loop = asyncio.get_running_loop()
    late_ms: list[float] = []
    began_s, cpu_s, shed = loop.time(), time.process_time(), worlds.shed
    while loop.time() - began_s < SLICE_S:
        due_s = loop.time() + LOOK_S
        await asyncio.sleep(LOOK_S)
        late_ms.append((loop.time() - due_s) * 1e3)
    return Slice(
        time_s=time.time(),
        late_p50_ms=percentile(late_ms, 50),
        late_p95_ms=percentile(late_ms, 95),
        late_max_ms=max(late_ms),
        cpu=(time.process_time() - cpu_s) / (loop.time() - began_s),
        shed=worlds.shed - shed,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
