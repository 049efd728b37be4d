"""Large bodies on their way from the disk and to it: a piece at a time, never all in memory."""

from __future__ import annotations

import asyncio
import os
from array import array
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Literal

from foregate.adapters.embedded.cache.index import Object
from foregate.adapters.embedded.cache.objects import Checksums, Damaged, Head, read_blocks, tail

if TYPE_CHECKING:
    from foregate.adapters.embedded.cache.disk import Disk

COPY_BYTES = 1 << 20  # at once


class FileBody:
    """The body of an object, read as it is wanted (`ports.cache.DiskBody`). It holds the file open, evicted or not."""

    def __init__(self, disk: Disk, at: Object, descriptor: int, checksums: array[int], length: int) -> None:
        self.length = length
        self.checksums = checksums
        self._disk = disk
        self._at = at
        self._descriptor = descriptor
        self._users = 1  # threads that read, and whoever has it
        self._closed = False

    async def read(self, start: int, stop: int) -> bytes:
        """The bytes `start:stop`. Raises OSError when they are not what was written, or cannot be read."""
        if self._closed:
            raise OSError("the body is closed")
        self._users += 1
        reading = self._disk.reading(partial(self._read, start, min(stop, self.length)))
        reading.add_done_callback(self._free)  # whoever still waits for it: the thread must be done with the descriptor
        return await asyncio.shield(reading)

    def copy_to(self, file: int) -> None:
        """Append it to `file` (a descriptor). Blocks."""
        at = 0
        while at < self.length:
            piece = os.pread(self._descriptor, min(COPY_BYTES, self.length - at), at)
            if not piece:
                raise Damaged("cut short")
            write_all(file, piece)
            at += len(piece)

    def hold(self) -> None:
        """`free` it when done: a close meanwhile waits."""
        self._users += 1

    def free(self) -> None:
        self._free(None)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._free(None)

    def _read(self, start: int, stop: int) -> bytes:
        try:
            return read_blocks(self._descriptor, self.checksums, self.length, start, stop)
        except Damaged:
            self._disk.folder.drop(self._at, damaged=True)
            raise

    def _free(self, reading: asyncio.Future[bytes] | None) -> None:
        if reading is not None and not reading.cancelled():
            reading.exception()  # told to whoever waits; if nobody does any more, nobody needs to know
        self._users -= 1
        if not self._users:
            os.close(self._descriptor)

    def __del__(self) -> None:
        self.close()


class FileWriter:
    """A body on its way to the disk. Exactly one of `finish` and `abandon` ends it; a False has ended it, too."""

    def __init__(self, disk: Disk, digest: bytes) -> None:
        self._disk = disk
        self._digest = digest
        self._state: Literal["open", "finishing", "lost", "over"] = "open"
        self._busy = False
        self._waiting: list[bytes] = []
        self._head: Head | None = None
        self._found: Callable[[], None] | None = None
        self._size = 0
        self._checksums = Checksums()
        self._descriptor = -1
        self._path = disk.folder.incoming()

    def append(self, chunk: bytes) -> bool:
        if self._state != "open":
            return False
        self._size += len(chunk)
        if self._size > self._disk.object_bytes_max or not self._disk.reserve(len(chunk)):
            self.abandon()
            return False
        self._waiting.append(chunk)
        self._go_on()
        return True

    def finish(self, head: Head, found: Callable[[], None]) -> bool:
        """No more comes: let everybody find it. `found` is called when they do."""
        if self._state != "open":
            return False
        self._state, self._head, self._found = "finishing", head, found
        self._go_on()
        return True

    def abandon(self) -> None:
        if self._state == "open":
            self._lose()

    def _lose(self) -> None:
        self._state = "lost"
        self._disk.release(len(self._waiting), sum(map(len, self._waiting)))
        self._waiting.clear()
        self._go_on()

    def _go_on(self) -> None:
        """Have a thread do what there is to do: one at a time, so that the pieces stay in order."""
        if self._busy or self._disk.closed:  # what is left of it then is deleted at the next start
            return
        if self._state == "lost":
            self._state = "over"
            self._disk.writing(self._remove).add_done_callback(self._disk.failed)
        elif self._waiting or self._state == "finishing":
            pieces, self._waiting = self._waiting, []
            last, self._busy = self._state == "finishing", True
            if last:
                self._state = "over"
            writing = self._disk.writing(partial(self._write, pieces, last))
            writing.add_done_callback(partial(self._done, len(pieces), sum(map(len, pieces))))

    def _done(self, count: int, size: int, writing: asyncio.Future[None]) -> None:
        self._busy = False
        self._disk.release(count, size)
        if self._disk.wrote(writing):
            if self._state == "over" and self._found is not None:
                self._found()
            self._go_on()
        else:
            self._lose()

    # --- in a thread -----------------------------------------------------------------------------------------

    def _write(self, pieces: list[bytes], last: bool) -> None:
        if self._descriptor < 0:
            self._descriptor = create(self._path)
        for piece in pieces:
            write_all(self._descriptor, piece)
            self._checksums.add(piece)
        if last and self._head is not None:
            end = tail(self._head, self._checksums.whole(), self._checksums.length)
            write_all(self._descriptor, end)
            self._close()
            size = self._checksums.length + len(end)
            self._disk.folder.enter(self._path, Object(self._digest, self._head.version), size)

    def _remove(self) -> None:
        self._close()
        self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


def create(path: object) -> int:
    """A descriptor of a new file for its owner alone."""
    return os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def write_all(descriptor: int, data: bytes) -> None:
    """A disk that fills up writes less than it is asked to before it says so."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
