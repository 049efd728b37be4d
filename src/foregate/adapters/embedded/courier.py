"""Moves the workers' events from their spools to the bus, exactly once: a process of its own.

A worker that moved them itself would hand its interpreter back and forth with its own request path: measured, that was
a third of what a proxied request cost (docs/decisions/0004-courier.md). The spools are made for being read by others:
a slice has the same borders when it is sent again (`segment`), and the bus knows it by (producer, sequence).
"""

import os
from itertools import zip_longest
from pathlib import Path

from foregate.adapters.embedded.locks import try_hold
from foregate.adapters.embedded.parting import parted
from foregate.adapters.embedded.segment import Slice, SpoolFile
from foregate.adapters.embedded.spool import LOCK
from foregate.kernel.limits import BUS_BATCH_EVENTS_MAX
from foregate.ports.bus import Append, Bus
from foregate.wire import TOPIC_EVENTS


class Courier:
    """Empties every `w<N>` under `spools`. Raises OSError when another live courier does.

    A worker's events go to one partition; `by_service`, to that of their service, wherever they were served.
    """

    def __init__(self, spools: Path, *, by_service: bool = False, batch_items_max: int = BUS_BATCH_EVENTS_MAX) -> None:
        spools.mkdir(parents=True, exist_ok=True)
        self.damaged = 0  # files that were set aside (renamed `.damaged`)
        self._spools = spools
        self._by_service = by_service
        self._batch_items_max = batch_items_max
        self._open: dict[Path, SpoolFile] = {}
        lock = try_hold(spools / "courier.lock")
        if lock is None:
            raise OSError(f"{spools} is being emptied by another courier")
        self._lock = lock

    def move(self, bus: Bus) -> int:
        """Move everything put so far; returns how many events.

        Raises OSError when the bus takes nothing now: the events stay, and the next call sends the same slices.
        """
        return sum(self._empty(folder, bus) for folder in sorted(self._spools.glob("w*")))

    def _empty(self, folder: Path, bus: Bus) -> int:
        live = _live_boot(folder)  # asked before the files are listed: a new worker's first file comes after its boot
        paths = sorted(folder.glob("*.seg"), key=_boot_and_number)
        moved = 0
        for path, following in zip_longest(paths, paths[1:]):
            file = self._file(path)
            if file is None:
                continue
            # Known before it is read to its end: a worker that has a later file puts nothing more into this one.
            finished = file.boot != live or (following is not None and _boot_and_number(following)[0] == live)
            partition = None if self._by_service else partition_of(folder, bus)
            moved += _move(file, bus, partition, self._batch_items_max)
            if finished:
                del self._open[path]
                file.delete()
        return moved

    def _file(self, path: Path) -> SpoolFile | None:
        file = self._open.get(path)
        if file is None:
            file = SpoolFile.open(path)
            if file is None:
                path.rename(path.with_suffix(".damaged"))
                self.damaged += 1
                return None
            self._open[path] = file
        return file

    @property
    def waiting(self) -> int:
        """Events seen that are not on the bus yet."""
        return sum(file.waiting for file in self._open.values())

    def close(self) -> None:
        """Let go; whatever was not moved stays."""
        for file in self._open.values():
            file.close()
        self._open.clear()
        os.close(self._lock)


def partition_of(folder: Path, bus: Bus) -> int:
    """The partition of a worker's events: its number modulo the bus's partitions."""
    digits = folder.name.removeprefix("w")
    return int(digits) % bus.partitions if digits.isdigit() else 0


def recover(spools: Path, bus: Bus) -> int:
    """Move once what lies in the spools; returns how many events."""
    courier = Courier(spools)
    try:
        return courier.move(bus)
    finally:
        courier.close()


def _live_boot(folder: Path) -> str:
    """The boot of the worker that holds the folder; "" when nobody does."""
    lock = try_hold(folder / LOCK)
    if lock is not None:
        os.close(lock)
        return ""
    return (folder / LOCK).read_text()


def _move(file: SpoolFile, bus: Bus, partition: int | None, items_max: int) -> int:
    """Append all that is committed in `file`. The bus knows a slice it has already by (boot, file and offset)."""
    moved = 0
    while (piece := file.next_slice(items_max)) is not None:
        sequence = file.number << 32 | piece.start
        if partition is not None:
            bus.append(TOPIC_EVENTS, partition, piece.payload, piece.items, producer=file.boot, sequence=sequence)
        else:
            bus.append_all(_parts(file.boot, sequence, piece, bus.partitions))
        file.slice_moved()
        moved += piece.items
    return moved


def _parts(boot: str, sequence: int, piece: Slice, partitions: int) -> list[Append]:
    """A slice in parts. Each partition is a producer: sequences rise within each."""
    return [
        Append(TOPIC_EVENTS, partition, part.payload, part.items, f"{boot}/{partition}", sequence)
        for partition, part in parted(piece.payload, partitions).items()
    ]


def _boot_and_number(path: Path) -> tuple[str, int]:
    boot, _, number = path.stem.rpartition("-")
    return boot, int(number) if number.isdigit() else 0
