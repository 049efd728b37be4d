"""Named blocks of shared numbers in one memory-mapped file (`foregate.ports.blocks`): a row per worker, no lock.

    file  = header (64 KB) · chunk · chunk · …     a chunk is mapped by itself, so growing moves nothing
    chunk = directory (count; digest, first cell, cells per name) · workers × CHUNK_CELLS float64

Only the owner writes a row, and a cell is one aligned 8-byte store: a reader sees the old number or the new one. The
directory grows under a file lock; its count is written last, so a claim that kill -9 cut short never happened.
At CHUNKS_MAX, or when the disk has no room for another chunk, names that are new share one block and are counted.
A name is kept as long as the file; another number of workers begins a new file.
"""

import contextlib
import hashlib
import mmap
import os
import struct
from collections.abc import Sequence
from pathlib import Path

from foregate.adapters.embedded.locks import exclusive
from foregate.ports.blocks import BLOCK_CELLS_MAX, Block

CHUNK_CELLS = 16_384  # per worker
CHUNK_NAMES = 2_047  # with the count they fill 64 KB
CHUNKS_MAX = 64  # a million cells per worker: 43,000 routes of 24
HOMELESS_MAX = 65_536  # names without a block, told apart by a worker; beyond it further ones are not counted

_UNIT = 65_536  # what a mapping may start at: a multiple of every page size in use
_HEADER = struct.Struct("<8sQQQ")
_MAGIC = b"FGBLCK01"
_ENTRY = struct.Struct("<16sII8x")
_OVERFLOW = ("foregate/overflow", BLOCK_CELLS_MAX)
_OVERFLOWED = ("foregate/overflowed", 1)


class MappedBlock:
    """One name's cells (`foregate.ports.blocks.Block`)."""

    __slots__ = ("_cells", "_firsts", "_size", "own")

    def __init__(
        self, cells: "memoryview[float]", firsts: tuple[int, ...], size: int, own: "memoryview[float]"
    ) -> None:
        self._cells = cells
        self._firsts = firsts  # where each worker's run begins
        self._size = size
        self.own = own

    def total(self, index: int) -> float:
        """Sum of cell `index` over all workers."""
        return sum(self.each(index))

    def each(self, index: int) -> list[float]:
        """Cell `index` of every worker."""
        if not 0 <= index < self._size:
            raise IndexError(f"cell {index} of a block of {self._size}")
        cells = self._cells
        return [cells[first + index] for first in self._firsts]


class _Chunk:
    """One mapped chunk: hands out its cells from the first to the last."""

    def __init__(self, file: int, number: int, workers: int, worker: int | None) -> None:
        access = mmap.ACCESS_READ if worker is None else mmap.ACCESS_WRITE
        start, length = _UNIT + number * _chunk_bytes(workers), _chunk_bytes(workers)
        self._map = mmap.mmap(file, length, access=access, offset=start)
        self._count = memoryview(self._map)[:8].cast("Q")
        self.cells = memoryview(self._map)[_UNIT : _UNIT + workers * CHUNK_CELLS * 8].cast("d")
        self.rows = tuple(range(0, workers * CHUNK_CELLS, CHUNK_CELLS))
        self.base = -1 if worker is None else worker * CHUNK_CELLS
        self.names = 0  # read from the directory so far
        self._used = 0  # cells of one row, by what was read

    def news(self) -> list[tuple[bytes, int, int]]:
        """(digest, first cell, cells) of the names that others have added since the last call."""
        known, self.names = self.names, self._count[0]
        entries = [_ENTRY.unpack_from(self._map, _ENTRY.size * (at + 1)) for at in range(known, self.names)]
        if entries:
            self._used = entries[-1][1] + entries[-1][2]
        return entries

    def add(self, digest: bytes, size: int) -> int | None:
        """The first cell of a new name, or None when this chunk is full. Only under the lock, after `news`."""
        first = self._used
        if self.names == CHUNK_NAMES or first + size > CHUNK_CELLS:
            return None
        _ENTRY.pack_into(self._map, _ENTRY.size * (self.names + 1), digest, first, size)
        self.names += 1
        self._used += size
        self._count[0] = self.names
        return first

    def block(self, first: int, size: int) -> MappedBlock:
        """The cells of a name in this chunk."""
        start = self.base + first
        own = self.cells[start : start + size] if self.base >= 0 else self.cells[:0]
        return MappedBlock(self.cells, tuple([row + first for row in self.rows]), size, own)

    def close(self) -> None:
        with contextlib.suppress(BufferError):  # who still holds a block keeps the mapping until it lets go
            self._count.release()
            self.cells.release()
            self._map.close()


class MappedBlocks:
    """One process's handle on the file (`foregate.ports.blocks.Blocks`)."""

    def __init__(self, path: Path, file: int, workers: int, worker: int | None, chunks_max: int) -> None:
        self._path = path
        self._file = file
        self._workers = workers
        self._worker = worker
        self._chunks_max = chunks_max
        self._chunks: list[_Chunk] = []
        self._places: dict[bytes, tuple[int, int]] = {}  # digest of name and size → (chunk, first cell)
        self._homeless: set[bytes] = set()  # digests of the names that share the overflow block
        self._overflow: tuple[Block, Block] | None = None

    def claim(self, wanted: Sequence[tuple[str, int]]) -> Sequence[Block]:
        """One block per (name, cells)."""
        for name, size in wanted:
            if not 0 < size <= BLOCK_CELLS_MAX:
                raise ValueError(f"{name}: {size} cells, a block has 1 to {BLOCK_CELLS_MAX}")
        if self._worker is None:
            self._refresh()
            return [self._found(_digest(name, size), size) or _nothing(size) for name, size in wanted]
        overflow, overflowed = self._reserved()
        digests = [_digest(name, size) for name, size in wanted]
        if any(digest not in self._places for digest in digests):
            with exclusive(_lock(self._path)):
                self._refresh()
                for digest, (_, size) in zip(digests, wanted, strict=True):
                    if digest not in self._places and not self._add(digest, size):
                        break  # no room: what is smaller might fit, but then order would decide who counts
        blocks = [self._found(digest, size) for digest, (_, size) in zip(digests, wanted, strict=True)]
        self._count(digests, blocks)
        overflowed.own[0] = float(len(self._homeless))
        return [block or overflow for block in blocks]

    def has(self, name: str, size: int) -> bool:
        """Whether the name has cells of its own: somebody has claimed it, and there was room."""
        self._refresh()
        return _digest(name, size) in self._places

    def overflowed(self) -> int:
        """How many names share the overflow block, at the worker that has most of them: all since it opened."""
        if self._worker is None:
            self._refresh()
        block = self._found(_digest(*_OVERFLOWED), _OVERFLOWED[1])
        return int(max(block.each(0))) if block is not None else 0

    def close(self) -> None:
        """Let go of the file; the numbers stay in it."""
        self._overflow = None
        for chunk in self._chunks:
            chunk.close()
        self._chunks.clear()
        self._places.clear()
        os.close(self._file)

    def _count(self, digests: Sequence[bytes], blocks: Sequence[Block | None]) -> None:
        """Keep account of who shares the overflow block: a claim tells of its own names alone."""
        for digest, block in zip(digests, blocks, strict=True):
            if block is not None:
                self._homeless.discard(digest)
            elif len(self._homeless) < HOMELESS_MAX:
                self._homeless.add(digest)

    def _reserved(self) -> tuple[Block, Block]:
        """(the overflow block, how many use it): the first two names of every file."""
        if self._overflow is None:
            with exclusive(_lock(self._path)):
                self._refresh()
                for name, size in (_OVERFLOW, _OVERFLOWED):
                    if _digest(name, size) not in self._places:
                        self._add(_digest(name, size), size)
            found = [self._found(_digest(name, size), size) for name, size in (_OVERFLOW, _OVERFLOWED)]
            if found[0] is None or found[1] is None:
                raise OSError(f"{self._path}: no room for the first block")
            self._overflow = (found[0], found[1])
        return self._overflow

    def _found(self, digest: bytes, size: int) -> Block | None:
        place = self._places.get(digest)
        return None if place is None else self._chunks[place[0]].block(place[1], size)

    def _refresh(self) -> None:
        """Learn what others have added: chunks first, then names."""
        whole = (os.fstat(self._file).st_size - _UNIT) // _chunk_bytes(self._workers)
        for number in range(len(self._chunks), min(whole, CHUNKS_MAX)):
            self._chunks.append(_Chunk(self._file, number, self._workers, self._worker))
        for number, chunk in enumerate(self._chunks):
            for digest, first, _ in chunk.news():
                self._places[digest] = (number, first)

    def _add(self, digest: bytes, size: int) -> bool:
        """Give a new name its cells; False when there is no room. Only under the lock."""
        first = self._chunks[-1].add(digest, size) if self._chunks else None
        if first is None:
            if len(self._chunks) >= self._chunks_max or not self._grow():
                return False
            first = self._chunks[-1].add(digest, size)
        if first is None:
            return False
        self._places[digest] = (len(self._chunks) - 1, first)
        return True

    def _grow(self) -> bool:
        number = len(self._chunks)
        start, length = _UNIT + number * _chunk_bytes(self._workers), _chunk_bytes(self._workers)
        try:
            os.posix_fallocate(self._file, start, length)  # a full disk must show here, not as SIGBUS on a store
            self._chunks.append(_Chunk(self._file, number, self._workers, self._worker))
        except OSError:
            return False
        return True


def open_blocks(path: Path, workers: int, worker: int | None, *, chunks_max: int = CHUNKS_MAX) -> MappedBlocks:
    """Open the file at `path`, making it anew when it is missing, damaged, or of another number of workers.

    `worker=None` only reads: FileNotFoundError when there is no such file. Raises OSError when the file cannot be had.
    """
    if worker is not None and not 0 <= worker < workers:
        raise ValueError(f"worker {worker} of {workers}")
    header = _HEADER.pack(_MAGIC, workers, CHUNK_CELLS, CHUNK_NAMES)
    if worker is None:
        if not _matches(path, header, workers):
            raise FileNotFoundError(f"{path}: no blocks of {workers} workers")
        return MappedBlocks(path, os.open(path, os.O_RDONLY | os.O_CLOEXEC), workers, None, chunks_max)
    with exclusive(_lock(path)):
        if not _matches(path, header, workers):
            _make(path, header, workers)
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    blocks = MappedBlocks(path, file, workers, worker, min(chunks_max, CHUNKS_MAX))
    blocks.claim(())  # the reserved blocks, while a failure is still a failure to open
    return blocks


def _chunk_bytes(workers: int) -> int:
    return _UNIT + -(-workers * CHUNK_CELLS * 8 // _UNIT) * _UNIT


def _digest(name: str, size: int) -> bytes:
    return hashlib.blake2b(f"{size} {name}".encode(), digest_size=16).digest()


def _nothing(size: int) -> MappedBlock:
    zeros = memoryview(bytes(size * 8)).cast("d")
    return MappedBlock(zeros, (0,), size, zeros[:0])


def _lock(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _matches(path: Path, header: bytes, workers: int) -> bool:
    try:
        with path.open("rb") as file:
            bytes_total = os.fstat(file.fileno()).st_size
            return file.read(len(header)) == header and bytes_total >= _UNIT + _chunk_bytes(workers)
    except FileNotFoundError:
        return False


def _make(path: Path, header: bytes, workers: int) -> None:
    """Write the new file beside the old one, then swap: whoever opens the name finds a whole file."""
    fresh = path.with_name(path.name + ".new")
    try:
        with fresh.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, _UNIT + _chunk_bytes(workers))
            file.write(header)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    fresh.replace(path)
