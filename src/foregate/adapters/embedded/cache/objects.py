"""An answer in a file: body · checksum of each block of it · head · footer.

What is known last stands last, so a body is written as it comes. The footer's checksum covers head and checksums, and
theirs the body: a file that is torn, cut short or changed is told by them, and gives no byte of it.
"""

import os
import struct
import zlib
from array import array

import msgspec

from foregate.ports.cache import HeaderList, Key, Moment, Stored

BLOCK_BYTES = 65_536  # of a body, under one checksum
HEAD_BYTES_MAX = 1 << 20
_FOOTER = struct.Struct("<8sQIII4x")  # magic, bytes of body, of checksums, of head; checksum of those two
_MAGIC = b"FGCOBJ01"


class Damaged(OSError):
    """The file is not what was written."""


class Head(msgspec.Struct, array_like=True, frozen=True):
    """All of an answer but its body. `sets`: it is none, but the names of Vary that its primary key goes by."""

    primary: bytes
    org: str
    host: bytes
    url: bytes
    epoch: int
    moment: Moment
    version: int
    sets: tuple[tuple[bytes, ...], ...]
    status: int
    headers: HeaderList
    request_time_s: float
    response_time_s: float
    fresh_until_s: float
    stale_until_s: float
    error_until_s: float
    vary: tuple[bytes, ...]
    variant: bytes
    tags: tuple[str, ...]
    facts: dict[str, str]

    @property
    def key(self) -> Key:
        return Key(self.primary, self.org, self.host, self.url)


_STORED = tuple(name for name in Stored.__struct_fields__ if name not in ("body", "prepared"))
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Head).decode


def head_of(
    key: Key, epoch: int, moment: Moment, version: int, stored: Stored, sets: tuple[tuple[bytes, ...], ...] = ()
) -> Head:
    return Head(*key, epoch, moment, version, sets, *[getattr(stored, name) for name in _STORED])


def stored_of(head: Head) -> Stored:
    """Without its body."""
    return Stored(**{name: getattr(head, name) for name in _STORED})


class Checksums:
    """Of the blocks of a body that comes in pieces of any size."""

    __slots__ = ("_now", "_room", "done", "length")

    def __init__(self) -> None:
        self.done = array("I")
        self.length = 0
        self._now = 0
        self._room = BLOCK_BYTES

    def add(self, piece: bytes) -> None:
        view = memoryview(piece)
        self.length += len(view)
        while len(view) >= self._room:
            self.done.append(zlib.crc32(view[: self._room], self._now))
            view = view[self._room :]
            self._now, self._room = 0, BLOCK_BYTES
        if len(view):
            self._now = zlib.crc32(view, self._now)
            self._room -= len(view)

    def whole(self) -> "array[int]":
        """All of them; nothing is added any more."""
        if self._room < BLOCK_BYTES:
            self.done.append(self._now)
            self._now, self._room = 0, BLOCK_BYTES
        return self.done


def tail(head: Head, checksums: "array[int]", length: int) -> bytes:
    """What follows a body of `length` bytes. Raises ValueError for a head beyond `HEAD_BYTES_MAX`."""
    encoded, sums = _encode(head), checksums.tobytes()
    if len(encoded) > HEAD_BYTES_MAX:
        raise ValueError(f"a head of {len(encoded)} bytes")
    check = zlib.crc32(encoded, zlib.crc32(sums))
    return sums + encoded + _FOOTER.pack(_MAGIC, length, len(sums), len(encoded), check)


def read_tail(descriptor: int) -> tuple[Head, "array[int]", int]:
    """(head, checksums, bytes of body). Raises Damaged."""
    size = os.fstat(descriptor).st_size
    footer = os.pread(descriptor, _FOOTER.size, max(0, size - _FOOTER.size))
    if len(footer) < _FOOTER.size:
        raise Damaged("cut short")
    magic, length, sums, heads, check = _FOOTER.unpack(footer)
    if magic != _MAGIC or length + sums + heads + _FOOTER.size != size or heads > HEAD_BYTES_MAX:
        raise Damaged("no whole footer")
    data = os.pread(descriptor, sums + heads, length)
    if len(data) != sums + heads or zlib.crc32(data) != check or sums != 4 * -(-length // BLOCK_BYTES):
        raise Damaged("the head fails its checksum")
    checksums = array("I")
    checksums.frombytes(data[:sums])
    try:
        return _decode(data[sums:]), checksums, length
    except msgspec.DecodeError as error:
        raise Damaged("a head of another release") from error


def read_blocks(descriptor: int, checksums: "array[int]", length: int, start: int, stop: int) -> bytes:
    """The bytes `start:stop` of the body, every block of them checked. Raises Damaged, OSError."""
    first = start // BLOCK_BYTES
    begin, end = first * BLOCK_BYTES, min(length, -(-stop // BLOCK_BYTES) * BLOCK_BYTES)
    data = os.pread(descriptor, end - begin, begin)
    view = memoryview(data)
    for number, at in enumerate(range(0, end - begin, BLOCK_BYTES), first):
        if len(data) != end - begin or zlib.crc32(view[at : at + BLOCK_BYTES]) != checksums[number]:
            raise Damaged("the body fails its checksum")
    return data if (begin, end) == (start, stop) else data[start - begin : stop - begin]
