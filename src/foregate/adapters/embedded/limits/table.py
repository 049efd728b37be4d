"""The file of the embedded limits: a hash table in shared memory, each entry a pair of float64 per worker.

    file  = header (4 KB) · entries, open addressing with double hashing, at most PROBES places per subject
    entry = fingerprint (16 bytes) · generation · expires_s · a0 b0 a1 b1 …          all float64 but the first
    fingerprint = 12 bytes of the subject · 4 bytes of the limit that it is a subject of

An entry is claimed under a file lock, once per subject; looked up and used without any. `generation` is written last
(and set to BUSY first), so whoever holds an older one knows that the entry is somebody else's now: generation =
number · 8 + kind, and 0 marks a place that was never used. A worker that is between looking and writing while its
entry is taken away may write one stale pair; it takes a full table and a coincidence of a microsecond, and algorithms
forgive numbers that cannot be.

At the bound: an expired entry in reach is taken; if none is, the one of a limit that would expire first is evicted and
counted: of the newcomer's own limit when that has at least half as many in reach as any other, else of the limit that
has most. The places in reach are a sample of the table; so a flood of subjects of one limit pushes out its own.

Expiry goes by the table's time: a monotonic clock that began at the wall clock's time when the first worker of this run
of the machine opened the file (`ahead_s` lies between them). So a wall clock that is set, forward or back, forgets
nobody. In another run of the machine that time says nothing any more (the wall clock may have been wrong when it began,
and the machine may have slept since): what is kept then, and for how long, is said by what the cells hold.
"""

import fcntl
import math
import mmap
import os
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from foregate.adapters.embedded.locks import exclusive

PROBES = 64
KINDS_MAX = 8
HEADER_BYTES = 4_096
BUSY = -1.0

_HEADER = struct.Struct("<8sQQ16s")  # magic, workers, capacity, boot
_MAGIC = b"FGLIMIT2"
_NUMBER, _ENTRIES, _EVICTED, _AHEAD = 16, 17, 18, 19  # words of the header, changed under the lock alone
_FINGERPRINT, _SUBJECT = 16, 12
_LIMIT = 3  # of an entry's 32-bit numbers
_HASHES = struct.Struct("<QQ").unpack
_FIRST = HEADER_BYTES // 8  # the first entry
GENERATION, _EXPIRES, CELLS = 2, 3, 4  # words of an entry


class Shape(msgspec.Struct, frozen=True):
    """What a file is made for. `capacity` is a power of two; `boot` (16 bytes) names the run of the machine that
    monotonic times belong to."""

    workers: int
    capacity: int
    boot: bytes

    @property
    def words(self) -> int:
        """Of one entry."""
        return CELLS + 2 * self.workers

    @property
    def bytes_total(self) -> int:
        """Of the file."""
        return HEADER_BYTES + self.capacity * self.words * 8


class Table:
    """One process's mapping of the file. `words` is all of it as float64; a place is the first word of an entry."""

    def __init__(self, path: Path, shape: Shape, lock: Path) -> None:
        self.shape = shape
        self._words = shape.words
        self._mask = shape.capacity - 1
        self._probes = min(PROBES, shape.capacity)
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._lock = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.map = mmap.mmap(self._file, shape.bytes_total)
        self.words = memoryview(self.map).cast("d")
        self._numbers = memoryview(self.map).cast("I")
        self.read = struct.Struct(f"{2 * shape.workers}d").unpack_from  # (map, 8 * the place's first cell) → cells

    @property
    def ahead_s(self) -> float:
        """The table's time is the monotonic clock's and this."""
        return self.words[_AHEAD]

    def begin(self, ahead_s: float) -> None:
        """Let the table's time begin, unless it has."""
        if self.words[_AHEAD] == 0.0:
            self.words[_AHEAD] = ahead_s

    def cells(self, place: int) -> tuple[float, ...]:
        """(a0, b0, a1, b1, …) of an entry."""
        return self.read(self.map, (place + CELLS) * 8)

    def generation(self, place: int) -> float:
        """To be compared with what `find` or `claim` said."""
        return self.words[place + GENERATION]

    def expires_s(self, place: int) -> float:
        """By the table's time."""
        return self.words[place + _EXPIRES]

    def extend(self, place: int, expires_s: float) -> None:
        """Keep an entry for longer."""
        self.words[place + _EXPIRES] = expires_s

    def find(self, fingerprint: bytes, time_s: float) -> tuple[int, float] | None:
        """(place, generation) of a live entry."""
        words, mapped = self.words, self.map
        at, step = _HASHES(fingerprint)
        step |= 1
        for _ in range(self._probes):
            place = _FIRST + (at & self._mask) * self._words
            generation = words[place + GENERATION]
            if generation == 0.0:
                return None
            if generation > 0.0 and mapped[place * 8 : place * 8 + _FINGERPRINT] == fingerprint:
                return (place, generation) if words[place + _EXPIRES] >= time_s else None
            at += step
        return None

    def claim(self, fingerprint: bytes, kind: int, time_s: float, expires_s: float) -> tuple[int, float]:
        """(place, generation), the cells at 0 when the entry is new. Takes the lock."""
        fcntl.flock(self._lock, fcntl.LOCK_EX)  # held open: it must work when no more files can be opened
        try:
            return self.find(fingerprint, time_s) or self.fill(fingerprint, kind, time_s, expires_s)
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def fill(self, fingerprint: bytes, kind: int, time_s: float, expires_s: float) -> tuple[int, float]:
        """Make an entry. Only under the lock, and when `find` found none."""
        words = self.words
        place = self._room(fingerprint, time_s)
        words[place + GENERATION] = BUSY
        for at in range(place + CELLS, place + self.shape.words):
            words[at] = 0.0
        self.map[place * 8 : place * 8 + _FINGERPRINT] = fingerprint
        words[place + _EXPIRES] = expires_s
        words[_NUMBER] += 1.0
        generation = words[_NUMBER] * KINDS_MAX + kind
        words[place + GENERATION] = generation
        return place, generation

    def counts(self) -> tuple[int, int]:
        """(places in use, entries that were evicted alive), since the file began."""
        return int(self.words[_ENTRIES]), int(self.words[_EVICTED])

    def clear(self, kind: int, worker: int) -> None:
        """Zero a worker's pairs of one kind. Read through the file, so that no page is mapped that nobody uses."""
        entry_bytes = self.shape.words * 8
        block_bytes = max(1, (1 << 20) // entry_bytes) * entry_bytes
        for start in range(HEADER_BYTES, self.shape.bytes_total, block_bytes):
            block = memoryview(os.pread(self._file, min(block_bytes, self.shape.bytes_total - start), start)).cast("d")
            for at, generation in enumerate(block[GENERATION :: self.shape.words].tolist()):
                if generation > 0.0 and generation % KINDS_MAX == kind:
                    first = start // 8 + at * self.shape.words + CELLS + 2 * worker
                    self.words[first] = self.words[first + 1] = 0.0

    def live(self, time_s: float) -> Iterator[tuple[bytes, int, float, tuple[float, ...]]]:
        """(fingerprint, kind, expires_s, cells) of every entry that has not expired."""
        for place in range(_FIRST, self.shape.bytes_total // 8, self.shape.words):
            generation, expires_s = self.words[place + GENERATION], self.words[place + _EXPIRES]
            if generation > 0.0 and expires_s >= time_s:
                fingerprint = bytes(self.map[place * 8 : place * 8 + _FINGERPRINT])
                yield fingerprint, int(generation % KINDS_MAX), expires_s, self.cells(place)

    def sync(self) -> None:
        """Write to the disk what has changed. Blocks for its time, without the interpreter's lock: call it off the
        loop."""
        os.fdatasync(self._file)

    def close(self) -> None:
        """Let go; the numbers stay in the file."""
        self.words.release()
        self._numbers.release()
        self.map.close()
        os.close(self._file)
        os.close(self._lock)

    def _room(self, fingerprint: bytes, time_s: float) -> int:
        words = self.words
        reach: list[int] = []
        at, step = _HASHES(fingerprint)
        step |= 1
        for _ in range(self._probes):
            place: int = _FIRST + (at & self._mask) * self._words
            generation = words[place + GENERATION]
            if generation == 0.0:
                words[_ENTRIES] += 1.0
                return place
            if generation < 0.0 or words[place + _EXPIRES] < time_s:
                return place
            reach.append(place)
            at += step
        words[_EVICTED] += 1.0
        return self._first_to_go(reach, int.from_bytes(fingerprint[_SUBJECT:], sys.byteorder))

    def _first_to_go(self, reach: Sequence[int], own: int) -> int:
        """Of the limit that has to make room in these places for one of `own`, the entry that would expire first."""
        numbers, words = self._numbers, self.words
        limits = [numbers[2 * place + _LIMIT] for place in reach]
        mine, giving = limits.count(own), {own}
        if 3 * mine < len(limits):  # else no other can have more than twice as many
            counts = Counter(limits)
            most = max(counts.values())
            if 2 * mine < most:
                giving = {limit for limit, count in counts.items() if count == most}
        pairs = zip(reach, limits, strict=True)
        return min([(words[place + _EXPIRES], place) for place, limit in pairs if limit in giving])[1]


Merge = Callable[[int, tuple[float, ...]], tuple[float, float]]  # (kind, cells) → one pair
# (kind, pair, Unix time) → for how many seconds another run of the machine keeps it, 0 when not at all
Outlives = Callable[[int, tuple[float, float], float], float]


def open_table(path: Path, shape: Shape, now_s: float, wall_s: float, merge: Merge, outlives: Outlives) -> Table:
    """Open the file, making it when it is missing or damaged, carrying it over when its shape is another.

    `now_s` and `wall_s` are the monotonic clock and Unix time, both now.

    Carried over are live entries, all workers' cells merged into the first one's; from another run of the machine,
    whose monotonic clock means nothing any more, those that `outlives` keeps, expired or not. Raises OSError when the
    file cannot be had; the old one is untouched then.
    """
    if shape.capacity < 1 or shape.capacity & (shape.capacity - 1):
        raise ValueError(f"capacity {shape.capacity}: must be a power of two")
    with exclusive(_lock(path)):
        found = _shape(path)
        if found != shape:
            _carry(path, found, shape, now_s, wall_s, merge, outlives)
        table = Table(path, shape, _lock(path))
        table.begin(wall_s - now_s)
        return table


def existing_table(path: Path) -> Table | None:
    """The table that is there, to read from; None where there is no whole file of ours. Raises OSError."""
    found = _shape(path)
    return None if found is None else Table(path, found, _lock(path))


def _carry(
    path: Path, found: Shape | None, shape: Shape, now_s: float, wall_s: float, merge: Merge, outlives: Outlives
) -> None:
    """Write the new file beside the old one, then swap; a process that still maps the old one keeps its own."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, shape.bytes_total)  # a full disk must show here, not as SIGBUS later
        except OSError:
            fresh.unlink()
            raise
        file.write(_HEADER.pack(_MAGIC, shape.workers, shape.capacity, shape.boot))
    if found is not None:
        old, new = Table(path, found, _lock(path)), Table(fresh, shape, _lock(path))
        same_boot = found.boot == shape.boot
        if same_boot:
            new.begin(old.ahead_s)
        new.begin(wall_s - now_s)
        time_s = now_s + new.ahead_s
        for fingerprint, kind, expires_s, cells in old.live(time_s if same_boot else -math.inf):
            pair = merge(kind, cells)
            until_s = expires_s if same_boot else time_s + outlives(kind, pair, wall_s)
            if pair != (0.0, 0.0) and until_s > time_s:
                place, _ = new.fill(fingerprint, kind, time_s, until_s)
                new.words[place + CELLS], new.words[place + CELLS + 1] = pair
        old.close()
        new.sync()
        new.close()
    fresh.replace(path)


def _shape(path: Path) -> Shape | None:
    """What the file is made for, None when there is no whole file of ours."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER.size)
            magic, workers, capacity, boot = _HEADER.unpack(head.ljust(_HEADER.size))
            shape = Shape(workers, capacity, boot)
            whole = magic == _MAGIC and os.fstat(file.fileno()).st_size == shape.bytes_total
            return shape if whole else None
    except FileNotFoundError:
        return None


def _lock(path: Path) -> Path:
    return path.with_name(path.name + ".lock")
