"""One memory-mapped file of a worker's spool, and the three marks that make moving it exactly once.

File: 64 bytes of header, then events, each a MessagePack message, one right behind the other. The header holds three
marks; a mark is *one* aligned 8-byte number, `items << 32 | bytes`, so that it changes in one store:
- `committed`: so many events are whole. Written after the bytes: kill -9 at any instruction leaves only whole events.
- `intended`: the slice `moved..intended` is being appended to the bus, or was. Written before the append.
- `moved`: up to here the bus has it. Written after the append.
A slice therefore has the same borders when it is sent again, and the bus knows it by (producer, sequence).
"""

import mmap
import os
from pathlib import Path
from typing import NamedTuple

import msgspec

HEADER_BYTES = 64
_MAGIC = int.from_bytes(b"FGSPOOL1", "little")
_MAGIC_AT, _COMMITTED, _INTENDED, _MOVED = 0, 1, 2, 3  # indexes of 8-byte numbers in the header
_LOW = 0xFFFF_FFFF
_split = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode


class Slice(NamedTuple):
    """Events on their way to the bus: `payload` is a MessagePack array of `items`; `start` is where it began."""

    start: int
    items: int
    payload: bytes


class SpoolFile:
    """The file at `path`, mapped. `boot` and `number` (from its name) make (producer, sequence) on the bus."""

    def __init__(self, path: Path, file: mmap.mmap) -> None:
        self.path = path
        self.map = file
        self.marks = memoryview(file)[:HEADER_BYTES].cast("Q")

    @property
    def boot(self) -> str:
        return self.path.stem.rpartition("-")[0]

    @property
    def number(self) -> int:
        return int(self.path.stem.rpartition("-")[2])

    @classmethod
    def make(cls, path: Path, bytes_total: int) -> "SpoolFile":
        """A new, empty file under a passing name. Raises OSError when the disk has no room for all of it."""
        with path.open("w+b") as file:
            os.posix_fallocate(file.fileno(), 0, bytes_total)  # a full disk must fail here, not as SIGBUS on a store
            mapped = mmap.mmap(file.fileno(), bytes_total)
        made = cls(path, mapped)
        made.marks[_COMMITTED] = made.marks[_INTENDED] = made.marks[_MOVED] = HEADER_BYTES
        made.marks[_MAGIC_AT] = _MAGIC
        return made

    def adopt(self, path: Path) -> None:
        """Give the file the name under which a successor looks for it: `<boot>-<number>.seg`."""
        self.path.rename(path)
        self.path = path

    @classmethod
    def open(cls, path: Path) -> "SpoolFile | None":
        """A file left by a predecessor; None when it is not a whole spool file."""
        with path.open("r+b") as file:
            size = os.fstat(file.fileno()).st_size
            if size < HEADER_BYTES:
                return None
            opened = cls(path, mmap.mmap(file.fileno(), size))
        if opened._sound():
            return opened
        opened.close()
        return None

    def _sound(self) -> bool:
        committed, intended, moved = (self.marks[at] & _LOW for at in (_COMMITTED, _INTENDED, _MOVED))
        in_order = HEADER_BYTES <= moved <= intended <= committed <= len(self.map)
        return self.marks[_MAGIC_AT] == _MAGIC and in_order

    @property
    def waiting(self) -> int:
        """Events not yet moved."""
        return (self.marks[_COMMITTED] >> 32) - (self.marks[_MOVED] >> 32)

    def next_slice(self, items_max: int) -> Slice | None:
        """The slice to append next, its borders made durable first; None when all is moved.

        After a failed append, or in a successor, it is the same slice again.
        """
        moved = self.marks[_MOVED]
        if self.marks[_INTENDED] <= moved:
            if self.marks[_COMMITTED] <= moved:
                return None
            self.marks[_INTENDED] = self._border(moved, items_max)
        intended = self.marks[_INTENDED]
        items = (intended >> 32) - (moved >> 32)
        body = self.map[moved & _LOW : intended & _LOW]
        return Slice(moved & _LOW, items, _array_of(items, body))

    def slice_moved(self) -> None:
        """The bus has the slice that `next_slice` gave."""
        self.marks[_MOVED] = self.marks[_INTENDED]

    def _border(self, moved: int, items_max: int) -> int:
        """The mark at most `items_max` events after `moved`."""
        committed = self.marks[_COMMITTED]
        items = (committed >> 32) - (moved >> 32)
        if items <= items_max:
            return committed
        # Only after the bus was away for long: find the border inside the backlog.
        events = _split(_array_of(items, self.map[moved & _LOW : committed & _LOW]))
        return moved + (items_max << 32) + sum(len(memoryview(event)) for event in events[:items_max])

    def close(self) -> None:
        self.marks.release()
        self.map.close()

    def delete(self) -> None:
        self.close()
        self.path.unlink(missing_ok=True)


def _array_of(items: int, body: bytes) -> bytes:
    """A MessagePack array (array 32) whose members are already encoded."""
    return b"\xdd" + items.to_bytes(4, "big") + body
