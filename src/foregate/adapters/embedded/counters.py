"""The workers' shared numbers: one memory-mapped table of float64, a row per worker, no lock.

File: 64 bytes of header (magic, workers, slots, digest of the layout's name), then workers × slots cells. Only the
owner writes a row, and a cell is one aligned 8-byte store, so a reader sees the old number or the new one, never half.
"""

import hashlib
import mmap
import os
import struct
from pathlib import Path

from foregate.adapters.embedded.locks import exclusive

_HEADER = struct.Struct("<8sQQ16s24x")
_MAGIC = b"FGCNTR01"


class MappedCounters:
    """One process's handle on the table (`foregate.ports.counters.Counters`). With `worker=None` it only reads."""

    def __init__(self, path: Path, workers: int, slots: int, worker: int | None) -> None:
        file = _map(path, mmap.ACCESS_READ if worker is None else mmap.ACCESS_WRITE)
        self.path = path
        self.slots = slots
        self._file = file
        self._cells = memoryview(file)[_HEADER.size :].cast("d")
        self._base = -1 if worker is None else worker * slots
        self.row = self._cells[:0] if worker is None else self._cells[self._base : self._base + slots]
        self._other_rows = tuple(row for row in range(0, workers * slots, slots) if row != self._base)

    def add(self, slot: int, amount: float) -> None:
        """Add to this worker's own cell."""
        self._cells[self._own(slot)] += amount

    def put(self, slot: int, value: float) -> None:
        """Set this worker's own cell."""
        self._cells[self._own(slot)] = value

    def total(self, slot: int) -> float:
        """Sum of the column over all workers."""
        if not 0 <= slot < self.slots:
            self._refuse(slot)
        return sum(self._cells[slot :: self.slots])

    def others(self, slot: int) -> float:
        """Sum of the column over all workers but this one (over all, for a handle that only reads)."""
        if not 0 <= slot < self.slots:
            self._refuse(slot)
        cells = self._cells
        return sum([cells[row + slot] for row in self._other_rows])

    def close(self) -> None:
        """Let go of the table; the numbers stay in the file."""
        self.row.release()
        self._cells.release()
        self._file.close()

    def _own(self, slot: int) -> int:
        # Without this check a wrong slot would land in another worker's row instead of failing.
        if not 0 <= slot < self.slots or self._base < 0:
            self._refuse(slot)
        return self._base + slot

    def _refuse(self, slot: int) -> None:
        if not 0 <= slot < self.slots:
            raise IndexError(f"slot {slot} is outside this table of {self.slots} slots")
        raise PermissionError("this handle on the counters was opened for reading only")


def open_counters(path: Path, workers: int, slots: int, worker: int | None, *, layout: str = "") -> MappedCounters:
    """Open the table at `path`, making it when it is missing or has another shape.

    `layout` names what the slots mean (any string): a table written under another name, or with other `workers` or
    `slots`, is replaced by one of zeros; a process still holding the old one keeps its own, harmlessly. With
    `worker=None` nothing is made and nothing can be written. Raises OSError when the file cannot be had.
    """
    if worker is not None and not 0 <= worker < workers:
        raise ValueError(f"worker {worker} of {workers}")
    header = _HEADER.pack(_MAGIC, workers, slots, hashlib.blake2b(layout.encode(), digest_size=16).digest())
    bytes_total = _HEADER.size + max(1, workers * slots) * 8
    if worker is not None:
        with exclusive(path.with_name(path.name + ".lock")):
            if not _matches(path, header, bytes_total):
                _make(path, header, bytes_total)
            return MappedCounters(path, workers, slots, worker)
    if not _matches(path, header, bytes_total):
        raise FileNotFoundError(f"{path}: no table of {workers} workers and {slots} slots with this layout")
    return MappedCounters(path, workers, slots, None)


def _matches(path: Path, header: bytes, bytes_total: int) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(_HEADER.size) == header and os.fstat(file.fileno()).st_size == bytes_total
    except FileNotFoundError:
        return False


def _make(path: Path, header: bytes, bytes_total: int) -> None:
    """Write the new table beside the old one, then swap: whoever maps the name sees a whole table."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, bytes_total)  # a full disk must fail here, not as SIGBUS on a store
        file.write(header)
    fresh.replace(path)


def _map(path: Path, access: int) -> mmap.mmap:
    with path.open("rb" if access == mmap.ACCESS_READ else "r+b") as file:
        return mmap.mmap(file.fileno(), 0, access=access)
