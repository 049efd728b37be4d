"""Which objects lie on the disk: a memory-mapped table that all workers read without a lock.

    file = header · buckets of `WAYS` entries        entry = digest of a name · version · bytes · uses

A name has its bucket; looking there is a search in 320 bytes of memory. Changes are made under a file lock, by threads
that write to the disk. Who reads an entry half changed asks for a file that is not there, or is not the one it wants:
a miss. When the bytes reach their bound a hand goes round: it takes a use from what was used and evicts what was not
(CLOCK). The table is only a shortcut: objects are files named by digest and version, from which it is made anew.
"""

import mmap
import os
import struct
from pathlib import Path
from typing import NamedTuple

WAYS = 8  # entries per bucket; a ninth evicts the one least used
OBJECT_BYTES_USUAL = 16_384  # by which a bound in bytes becomes a number of entries …
SPARE = 2  # … so many times over: buckets fill unevenly
USES_MAX = 3
SPARED_MAX = 512  # in one go, while everybody waits for the lock; then what comes next goes, used or not
UNIT = 4_096  # bytes on a disk are counted in these

_HEADER_BYTES = 4_096
_MAGIC = b"FGCIDX01"
_HEAD = struct.Struct("<8sQ")  # magic, buckets
_BYTES, _OBJECTS, _EVICTED, _DAMAGED, _HAND = 2, 3, 4, 5, 6  # indexes of 8-byte numbers in the header
_ENTRY = struct.Struct("<16sQQQ")
_BUCKET_BYTES = WAYS * _ENTRY.size
_NONE = bytes(_ENTRY.size)
_USES_AT = 32


class Object(NamedTuple):
    """An object's file has this name."""

    digest: bytes
    version: int


class Index:
    """One process's handle. Whatever changes the table is to be called under the lock of its directory."""

    def __init__(self, path: Path, bytes_max: int, *, alone: bool) -> None:
        """`alone`: nobody else has it open, so one that is damaged or made for another bound may be made anew, empty.

        Raises OSError when the file cannot be had.
        """
        buckets = _made_for(path)
        if alone and buckets != _buckets(bytes_max):
            buckets = _buckets(bytes_max)
            _make(path, buckets)
        if not buckets:
            raise OSError(f"{path} is damaged: stop foregate, and delete it")
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._map = mmap.mmap(self._file, _HEADER_BYTES + buckets * _BUCKET_BYTES)
        self._numbers = memoryview(self._map)[:_HEADER_BYTES].cast("Q")
        self._mask = buckets - 1
        self.bytes_max = bytes_max

    # --- for readers -----------------------------------------------------------------------------------------

    def version(self, digest: bytes) -> int:
        """Of the object of that name; 0 when there is none."""
        at = self._find(digest)
        return _ENTRY.unpack_from(self._map, at)[1] if at else 0

    def use(self, digest: bytes) -> None:
        """It was asked for. One byte is written: whoever changes the entry at the same time loses a use at most."""
        at = self._find(digest)
        if at and self._map[at + _USES_AT] < USES_MAX:
            self._map[at + _USES_AT] += 1

    @property
    def bytes_used(self) -> int:
        return self._numbers[_BYTES]

    @property
    def objects(self) -> int:
        return self._numbers[_OBJECTS]

    @property
    def evicted(self) -> int:
        return self._numbers[_EVICTED]

    @property
    def damaged(self) -> int:
        return self._numbers[_DAMAGED]

    # --- under the lock --------------------------------------------------------------------------------------

    def put(self, made: Object, size: int) -> list[Object]:
        """Add an object, in place of an older one of its name; returns what has to go for it, its elders first.

        It may be the object itself, where a newer one of its name is there.
        """
        gone: list[Object] = []
        uses = 0
        at = self._find(made.digest)
        if at:
            _, version, _, uses = _ENTRY.unpack_from(self._map, at)
            if version >= made.version:
                return [made] if version > made.version else []
            gone.append(self._clear(at))
        else:
            at = self._room(made.digest, gone)
        size = -(-size // UNIT) * UNIT
        _ENTRY.pack_into(self._map, at, made.digest, made.version, size, uses)
        self._numbers[_BYTES] += size
        self._numbers[_OBJECTS] += 1
        gone += self.shrink()
        return gone

    def remove(self, gone: Object, *, damaged: bool = False) -> bool:
        """Whether it was there."""
        at = self._find(gone.digest)
        if not at or _ENTRY.unpack_from(self._map, at)[1] != gone.version:
            return False
        self._clear(at)
        self._numbers[_DAMAGED] += damaged
        return True

    def shrink(self) -> list[Object]:
        """What has to go for the rest to fit."""
        gone: list[Object] = []
        numbers, places, spared = self._numbers, (self._mask + 1) * WAYS, 0
        while numbers[_BYTES] > self.bytes_max and numbers[_OBJECTS]:
            hand = numbers[_HAND] % places
            numbers[_HAND] = hand + 1
            at = _HEADER_BYTES + hand * _ENTRY.size
            if not _ENTRY.unpack_from(self._map, at)[1]:
                continue
            if self._map[at + _USES_AT] and spared < SPARED_MAX:
                self._map[at + _USES_AT] -= 1
                spared += 1
            else:
                gone.append(self._clear(at))
                numbers[_EVICTED] += 1
        return gone

    def recount(self) -> None:
        """Sum up the table: a writer that was killed may have left it changed and the header not."""
        with memoryview(self._map)[_HEADER_BYTES:] as table:
            sizes = [size for _, version, size, _ in _ENTRY.iter_unpack(table) if version]
        self._numbers[_BYTES], self._numbers[_OBJECTS] = sum(sizes), len(sizes)

    def close(self) -> None:
        self._numbers.release()
        self._map.close()
        os.close(self._file)

    def _bucket(self, digest: bytes) -> int:
        return _HEADER_BYTES + (int.from_bytes(digest[:8], "little") & self._mask) * _BUCKET_BYTES

    def _find(self, digest: bytes) -> int:
        """Where its entry begins; 0 when there is none."""
        bucket = self._bucket(digest)
        at = self._map.find(digest, bucket, bucket + _BUCKET_BYTES)
        return at if at > 0 and (at - bucket) % _ENTRY.size == 0 else 0

    def _room(self, digest: bytes, gone: list[Object]) -> int:
        bucket = self._bucket(digest)
        places = range(bucket, bucket + _BUCKET_BYTES, _ENTRY.size)
        entries = [(_ENTRY.unpack_from(self._map, at), at) for at in places]
        for (_, version, _, _), at in entries:
            if not version:
                return at
        (_, at) = min(entries, key=lambda each: (each[0][3], each[0][1]))
        gone.append(self._clear(at))
        self._numbers[_EVICTED] += 1
        return at

    def _clear(self, at: int) -> Object:
        digest, version, size, _ = _ENTRY.unpack_from(self._map, at)
        self._map[at : at + _ENTRY.size] = _NONE
        self._numbers[_BYTES] -= min(size, self._numbers[_BYTES])
        self._numbers[_OBJECTS] -= min(1, self._numbers[_OBJECTS])
        return Object(digest, version)


def _buckets(bytes_max: int) -> int:
    """A power of two, 64 to 1,048,576 (336 MB)."""
    wanted = max(1, bytes_max * SPARE // OBJECT_BYTES_USUAL // WAYS)
    return min(max(1 << (wanted - 1).bit_length(), 64), 1 << 20)


def _made_for(path: Path) -> int:
    """For how many buckets; 0 when there is no whole table."""
    try:
        with path.open("rb") as file:
            magic, buckets = _HEAD.unpack(file.read(_HEAD.size).ljust(_HEAD.size))
            whole = magic == _MAGIC and os.fstat(file.fileno()).st_size == _HEADER_BYTES + buckets * _BUCKET_BYTES
            return int(buckets) if whole else 0
    except FileNotFoundError:
        return 0


def _make(path: Path, buckets: int) -> None:
    fresh = path.with_name(path.name + ".new")
    with open(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        try:
            # a full disk must show here, not as SIGBUS later
            os.posix_fallocate(file.fileno(), 0, _HEADER_BYTES + buckets * _BUCKET_BYTES)
        except OSError:
            fresh.unlink()
            raise
        file.write(_HEAD.pack(_MAGIC, buckets))
    fresh.replace(path)
