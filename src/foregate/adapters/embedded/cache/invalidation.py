"""What is void of all that is stored: one memory-mapped file, which every hit of every worker looks at.

    file = header · cells (one mark per fingerprint of organisation, host and url) · log of purges

Nobody goes through the cache to void anything. A purge is a record in the log, and `generation` counts them: an answer
that has seen them all costs one comparison, another is compared with those it has not. An unsafe method puts another
mark into its url's cell, and what was asked for before that is void; urls that share a cell cost each other a miss,
never more. Marks are drawn, not counted: a worker that is held up between reading and writing a number would put it
back to one that was there before, and what is void would be given again.

The log has a bound. When it is full, purges of the same thing become one, and if it still is, the oldest go and what
was stored before the newest of them counts as purged. A writer that is killed while it makes room leaves the header's
`busy` set: all that was stored before counts as purged. After a restart of the machine the last numbers may not have
reached the disk, so the file begins anew under another `epoch`, and nothing on the disk is valid any more.
"""

import fcntl
import hashlib
import mmap
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

from foregate.adapters.embedded.locks import exclusive
from foregate.ports.cache import Key, Moment, PurgeKind

CELLS = 1 << 18  # marks of urls: with 100 unsafe requests a second, 1 in 50 answers of a minute is lost in vain
PURGES_MAX = 16_384  # records in the log: 512 KB
PATTERN_BYTES_MAX = 8_192

_HEADER_BYTES = 4_096
_MAGIC = b"FGCVOID1"
_EPOCH, _GENERATION, _FLOOR, _BASE, _BUSY, _PURGES = 1, 2, 3, 4, 5, 6  # indexes of 8-byte numbers in the header
_BOOT_AT, _BOOT_BYTES = 64, 36
_RECORD = struct.Struct("<16sII8x")  # digest; length of a prefix, else 0
_LOG_AT = _HEADER_BYTES + CELLS * 4
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Names:
    """What purges can name an answer by."""

    __slots__ = ("exact", "host", "org", "url")

    def __init__(self, key: Key, tags: Sequence[str]) -> None:
        self.org = key.org
        self.host = key.host
        self.url = key.url
        scopes = ("*", key.org)
        urls = [_digest("url", scope, text) for scope in scopes for text in (key.url, key.host + key.url)]
        self.exact = (*urls, *(_digest("tag", scope, tag.encode()) for scope in scopes for tag in tags))

    def prefixes(self, length: int) -> tuple[bytes, ...]:
        """The digests of the prefixes of that length that it has."""
        whole = self.host + self.url
        found = [self.url[:length]] if len(self.url) >= length else []
        found += [whole[:length]] if len(whole) >= length else []
        return tuple([_digest("prefix", scope, text) for scope in ("*", self.org) for text in found])


class Invalidation:
    """One process's handle. `generation[0]` and `cells[i]` are read on the request path."""

    def __init__(self, path: Path, purges_max: int = PURGES_MAX) -> None:
        """`purges_max`: the same in all processes. Raises OSError when the file cannot be had."""
        self._purges_max = purges_max
        size = _LOG_AT + purges_max * _RECORD.size
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with exclusive(_lock(path)):
            if not _sound(path, size):
                _make(path, size)
            self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._lock = os.open(_lock(path), os.O_RDWR | os.O_CLOEXEC)  # held open: a purge needs no new descriptor
        self._map = mmap.mmap(self._file, size)
        self._numbers = memoryview(self._map)[:_HEADER_BYTES].cast("Q")
        self.cells = memoryview(self._map)[_HEADER_BYTES:_LOG_AT].cast("I")
        self.generation = self._numbers[_GENERATION : _GENERATION + 1]
        self._seen = 0  # generation of the last purge in `_exact` and `_prefixes`
        self._base = -1  # the log's, when it was read; -1: not at all, or in vain
        self._exact: dict[bytes, int] = {}  # digest → generation of the last such purge: at most `purges_max`
        self._lengths: dict[int, int] = {}  # of prefixes → generation of the last purge of one
        if self._numbers[_BUSY]:
            with _Locked(self._lock):
                self._mend()

    @property
    def epoch(self) -> int:
        """Numbers of another epoch mean nothing."""
        return self._numbers[_EPOCH]

    @property
    def purges(self) -> int:
        """How many there have been."""
        return self._numbers[_PURGES]

    # --- the request path ------------------------------------------------------------------------------------

    def cell(self, key: Key) -> int:
        """The index of the cell that belongs to a key's organisation, host and url."""
        return zlib.crc32(b"%b\0%b\0%b" % (key.org.encode(), key.host, key.url)) & (CELLS - 1)

    def moment(self, key: Key) -> Moment:
        return Moment(self.generation[0], self.cells[self.cell(key)])

    def touch(self, key: Key) -> None:
        """All of this organisation, host and url that was asked for until now is void (but for 1 in 2^32)."""
        self.cells[self.cell(key)] = int.from_bytes(os.urandom(4))

    def purged(self, names: Names, since: int) -> bool:
        """Whether it was purged after generation `since`. Costs a digest per name; call it when `generation` moved."""
        if not self._catch_up() or since < self._numbers[_FLOOR]:
            return True
        exact = self._exact
        if any(exact.get(digest, 0) > since for digest in names.exact):
            return True
        lengths = [length for length, last in self._lengths.items() if last > since]
        return any(exact.get(digest, 0) > since for length in lengths for digest in names.prefixes(length))

    # --- purging ---------------------------------------------------------------------------------------------

    def purge(self, kind: PurgeKind, pattern: str, org: str | None) -> None:
        """Blocks for the lock (microseconds) and for the disk. Raises ValueError for a pattern that names nothing."""
        text = pattern_bytes(kind, pattern)
        digest = _digest(kind, "*" if org is None else org, text)
        with _Locked(self._lock):
            self._mend()
            numbers = self._numbers
            if numbers[_GENERATION] - numbers[_BASE] >= self._purges_max:
                self._make_room()
            at = _LOG_AT + (numbers[_GENERATION] - numbers[_BASE]) * _RECORD.size
            _RECORD.pack_into(self._map, at, digest, len(text) if kind == "prefix" else 0, 1)
            numbers[_PURGES] += 1
            numbers[_GENERATION] += 1  # last: until then the purge has not happened
        self._map.flush()

    def close(self) -> None:
        self.generation.release()
        self.cells.release()
        self._numbers.release()
        self._map.close()
        os.close(self._file)
        os.close(self._lock)

    def _catch_up(self) -> bool:
        """Read the purges that others have added since the last look. False: somebody was making room meanwhile."""
        numbers = self._numbers
        base, generation = numbers[_BASE], numbers[_GENERATION]
        if base != self._base:
            self._base = self._seen = base
            self._exact.clear()
            self._lengths.clear()
        for number in range(self._seen, generation):
            digest, length, _ = _RECORD.unpack_from(self._map, _LOG_AT + (number - base) * _RECORD.size)
            self._exact[digest] = number + 1
            if length:
                self._lengths[length] = number + 1
        self._seen = max(base, generation)
        if numbers[_BUSY] or numbers[_BASE] != base:
            self._base = -1
            return False
        return True

    def _make_room(self) -> None:
        """Keep the last purge of each thing, and of those the newest half of what fits. Only under the lock.

        Generations are places in the log, so what is kept gets new ones, which are later: it may void what was asked
        for between, and that costs a miss.
        """
        numbers = self._numbers
        records = [self._map[at : at + _RECORD.size] for at in range(_LOG_AT, len(self._map), _RECORD.size)]
        last = {record: place for place, record in enumerate(records)}
        kept = sorted(last.values())
        half = self._purges_max // 2
        lost, kept = kept[:-half], kept[-half:]
        numbers[_BUSY] = 1
        if lost:
            numbers[_FLOOR] = numbers[_BASE] + lost[-1] + 1
        base = numbers[_GENERATION]
        self._map[_LOG_AT : _LOG_AT + len(kept) * _RECORD.size] = b"".join(records[place] for place in kept)
        numbers[_BASE] = base
        numbers[_GENERATION] = base + len(kept)
        numbers[_BUSY] = 0

    def _mend(self) -> None:
        """After a writer that was killed while it made room: nobody knows what the log holds."""
        numbers = self._numbers
        if numbers[_BUSY]:
            numbers[_GENERATION] = numbers[_BASE] = numbers[_FLOOR] = max(numbers[_BASE], numbers[_GENERATION]) + 1
            numbers[_BUSY] = 0


def pattern_bytes(kind: PurgeKind, pattern: str) -> bytes:
    """A pattern as answers are compared with it: a URL without its scheme, its host in lower case."""
    if kind == "tag":
        text = pattern
    else:
        scheme, mark, rest = pattern.partition("://")
        text = rest if mark and "/" not in scheme else pattern
        host, slash, path = text.partition("/")
        text = host.lower() + slash + path
    encoded = text.encode()
    if not encoded or len(encoded) > PATTERN_BYTES_MAX:
        raise ValueError(f"a pattern has 1 to {PATTERN_BYTES_MAX} bytes")
    return encoded


class _Locked:
    """The lock of an open descriptor, for the length of a block."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)


def _digest(kind: str, org: str, text: bytes) -> bytes:
    """An organisation is never called "*"."""
    return hashlib.blake2b(b"%b\0%b\0%b" % (kind.encode(), org.encode(), text), digest_size=16).digest()


def _boot() -> bytes:
    """Names this run of the machine; blank where the machine does not say, and then no restart of it is noticed."""
    try:
        return _BOOT_ID.read_bytes()[:_BOOT_BYTES].ljust(_BOOT_BYTES)
    except OSError:
        return b"".ljust(_BOOT_BYTES)


def _sound(path: Path, size: int) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER_BYTES)
            found = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return False
    return found == size and head[:8] == _MAGIC and head[_BOOT_AT : _BOOT_AT + _BOOT_BYTES] == _boot()


def _make(path: Path, size: int) -> None:
    """A new file, under a passing name first: whoever maps the former one keeps it."""
    fresh = path.with_name(path.name + ".new")
    with open(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)  # a full disk must show here, not as SIGBUS later
        except OSError:
            fresh.unlink()
            raise
        file.write(_MAGIC + os.urandom(8))
        file.seek(_BOOT_AT)
        file.write(_boot())
    fresh.replace(path)


def _lock(path: Path) -> Path:
    return path.with_name(path.name + ".lock")
