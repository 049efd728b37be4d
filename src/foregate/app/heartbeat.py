"""A sign of life from every gateway worker, once a second, in the shared numbers; and what a worker without one is.

A process that hangs (stopped, in an endless loop, waiting for a dead disk) still has its sockets: the kernel goes on
giving it connections, and its clients wait.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from foregate.adapters.embedded.blocks import MappedBlocks, open_blocks
from foregate.app.paths import DataDir
from foregate.kernel.clock import Clock
from foregate.ports.blocks import Block, Blocks

BEAT_S = 1.0
SILENT_S = 5.0  # then nobody should believe what its other cells say
HUNG_LOOKS = 15  # looks (one a second) without a beat: then it is replaced
START_LOOKS = 120  # before its first beat: building 100,000 keys on a busy machine takes its time
_BLOCK = ("worker/heartbeat", 1)


def claim_beat(blocks: Blocks) -> Block | None:
    """The cell of the heartbeat; None while there is no room for it: the block that is shared then tells nothing.

    Call it before others claim: theirs may take the last room.
    """
    (cell,) = blocks.claim([_BLOCK])
    return cell if len(cell.own) == _BLOCK[1] else None


async def beat(blocks: Blocks, clock: Clock) -> None:
    """In a worker, until cancelled: write the machine's monotonic time where the supervisor sees it."""
    while True:
        # Each time anew: once there is room, another worker may have claimed it, and silence would count against this.
        if (cell := claim_beat(blocks)) is not None:
            cell.own[0] = clock.monotonic()
        await asyncio.sleep(BEAT_S)


class Beats:
    """Reads the last beat of every worker."""

    def __init__(self, data: DataDir, workers: int) -> None:
        self._file: Path = data.counters
        self._workers = workers
        self._inode = 0
        self._blocks: MappedBlocks | None = None

    def last_s(self) -> list[float] | list[None]:
        """Monotonic seconds of each worker's last beat, 0 before its first one; None: it has no place to beat in.

        Raises OSError: there is no file.
        """
        inode = self._file.stat().st_ino
        if self._blocks is None or inode != self._inode:
            self.close()
            self._blocks, self._inode = open_blocks(self._file, self._workers, None), inode
        if not self._blocks.has(*_BLOCK):
            return [None] * self._workers
        (cell,) = self._blocks.claim([_BLOCK])
        return cell.each(0)

    def close(self) -> None:
        if self._blocks is not None:
            self._blocks.close()
            self._blocks = None


class Pulse:
    """Whether one worker hangs, by looking at it once a second. Pure.

    Looks are counted, not seconds: when the supervisor itself was stopped (a laptop that slept), nobody is to blame.
    """

    def __init__(self) -> None:
        self._pid: int | None = None
        self._beat_s = 0.0
        self._beaten = False  # since this process began
        self._looks = 0

    def look(self, pid: int | None, beat_s: float | None) -> bool:
        """Whether it is to be replaced. `pid` None: it does not run now; `beat_s` None: it cannot say that it lives."""
        if beat_s is None:
            self._pid = None
            return False
        if pid is None or pid != self._pid:
            self._pid, self._beaten, self._looks = pid, False, 0
        elif beat_s != self._beat_s:
            self._beaten, self._looks = True, 0
        else:
            self._looks += 1
        self._beat_s = beat_s
        return self._looks >= (HUNG_LOOKS if self._beaten else START_LOOKS)


async def replace_hung(
    beats: Beats, workers: int, pid: Callable[[str], int | None], end: Callable[[str], None]
) -> None:
    """In the supervisor, until cancelled: `end` each worker that hangs (its keeper starts another one)."""
    pulses = {f"gateway-{worker}": Pulse() for worker in range(workers)}
    while True:
        await asyncio.sleep(BEAT_S)
        last_s: Sequence[float | None]
        try:
            last_s = beats.last_s()
        except OSError:
            last_s = [None] * workers  # none has come so far as to make the file, or somebody has deleted it
        for (name, pulse), beat_s in zip(pulses.items(), last_s, strict=True):
            if pulse.look(pid(name), beat_s):
                end(name)
                pulses[name] = Pulse()
