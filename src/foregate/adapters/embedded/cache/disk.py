"""Answers on the disk, shared by the workers of a machine: the part of one worker.

A few threads read and write, never the loop. At most `BACKLOG_BYTES_MAX` wait to be written, beyond that answers are
not stored; at most `READS_MAX` wait to be read, beyond that it is a miss. A disk that is full or broken is said once,
and tried again after `RETRY_S`: until then nothing is stored on it. Nothing is synced: checksums tell what is whole.
"""

import asyncio
import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TypeVar

from foregate.adapters.embedded.cache.bodies import FileBody, FileWriter, create, write_all
from foregate.adapters.embedded.cache.folder import Folder
from foregate.adapters.embedded.cache.index import Object
from foregate.adapters.embedded.cache.objects import Checksums, Damaged, Head, read_blocks, read_tail, tail
from foregate.kernel.clock import Clock

READERS, WRITERS = 2, 2  # threads
BACKLOG_BYTES_MAX = 32 << 20
READS_MAX = 256
RETRY_S = 5.0
_PIECE_BYTES = 4_096  # what waits counts for so much more

Log = Callable[[str, dict[str, object]], None]
T = TypeVar("T")


def digest_of(name: bytes) -> bytes:
    """What an object of that name is found by."""
    return hashlib.blake2b(name, digest_size=16).digest()


class Disk:
    """`small_bytes_max`: bodies up to this size are read whole, larger ones as `FileBody`."""

    def __init__(self, folder: Folder, *, object_bytes_max: int, small_bytes_max: int, clock: Clock, log: Log) -> None:
        self.folder = folder
        self.object_bytes_max = object_bytes_max
        self.small_bytes_max = small_bytes_max
        self.not_stored = 0
        self.closed = False
        self.version = folder.index.version
        self._clock = clock
        self._log = log
        self._readers = ThreadPoolExecutor(READERS, "cache-read")
        self._writers = ThreadPoolExecutor(WRITERS, "cache-write")
        self._reads = 0
        self._backlog_bytes = 0
        self._failing = False
        self._retry_s = 0.0  # monotonic
        if folder.alone:
            self._writers.submit(self._mend)

    # --- reading ---------------------------------------------------------------------------------------------

    async def load(self, digest: bytes) -> tuple[Head, bytes | FileBody] | None:
        """The object of that name, checked; None when there is none (any more), or too many wait to be read."""
        version = self.version(digest)
        if not version or self._reads >= READS_MAX:
            return None
        self.folder.index.use(digest)
        self._reads += 1
        reading = self.reading(partial(self._load, Object(digest, version)))
        reading.add_done_callback(self._loaded)
        return await asyncio.shield(reading)

    def reading(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        """Have a thread do it."""
        return asyncio.get_running_loop().run_in_executor(self._readers, work)

    def _loaded(self, _: "asyncio.Future[tuple[Head, bytes | FileBody] | None]") -> None:
        self._reads -= 1

    def _load(self, at: Object) -> tuple[Head, bytes | FileBody] | None:
        found = self._load_one(at)
        version = self.version(at.digest)
        if found is None and version > at.version:  # it was replaced before we could open it
            found = self._load_one(Object(at.digest, version))
        return found

    def _load_one(self, at: Object) -> tuple[Head, bytes | FileBody] | None:
        descriptor = -1
        try:
            descriptor = os.open(self.folder.path(at), os.O_RDONLY | os.O_CLOEXEC)
            head, checksums, length = read_tail(descriptor)
            if length > self.small_bytes_max:
                body = FileBody(self, at, descriptor, checksums, length)
                descriptor = -1
                return head, body
            return head, read_blocks(descriptor, checksums, length, 0, length)
        except (FileNotFoundError, Damaged) as error:
            with suppress(OSError):
                self.folder.drop(at, damaged=isinstance(error, Damaged))
            return None
        except OSError:  # of a disk that cannot be read, or for want of descriptors: it is a miss
            return None
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    # --- writing ---------------------------------------------------------------------------------------------

    def store(self, digest: bytes, head: Head, body: bytes | FileBody) -> bool:
        """Write an object whose body is there. False: it will not be."""
        length, waits = (len(body), len(body)) if isinstance(body, bytes) else (body.length, 0)
        if length > self.object_bytes_max or not self.reserve(waits):
            return False
        if not isinstance(body, bytes):
            body.hold()
        writing = self.writing(partial(self._store, Object(digest, head.version), head, body))
        writing.add_done_callback(partial(self._stored, body, waits))
        return True

    def begin(self, digest: bytes) -> FileWriter | None:
        """A body that is still coming; None while the disk fails."""
        return None if self.closed or self._clock.monotonic() < self._retry_s else FileWriter(self, digest)

    def remove(self, digest: bytes, version: int) -> None:
        """It is void."""
        self.writing(partial(self.folder.drop, Object(digest, version))).add_done_callback(self.failed)

    def writing(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        """Have a thread do it."""
        return asyncio.get_running_loop().run_in_executor(self._writers, work)

    def reserve(self, size: int) -> bool:
        """Whether so many bytes more may wait to be written; then they do, until they are released."""
        size += _PIECE_BYTES
        full = self.closed or self._backlog_bytes + size > BACKLOG_BYTES_MAX
        if full or self._clock.monotonic() < self._retry_s:
            return False
        self._backlog_bytes += size
        return True

    def release(self, pieces: int, size: int) -> None:
        self._backlog_bytes -= size + pieces * _PIECE_BYTES

    def wrote(self, writing: "asyncio.Future[None]") -> bool:
        """Whether a thread wrote what it was to write."""
        if self.failed(writing):
            return False
        if self._failing:
            self._failing = False
            self._log("cache_disk_recovered", {})
        return True

    def failed(self, writing: "asyncio.Future[None]") -> bool:
        """Whether it did not do what it was to do. A disk that fails is said once, until it has recovered."""
        error = None if writing.cancelled() else writing.exception()
        if error is None:
            return writing.cancelled()
        self.not_stored += 1
        if isinstance(error, OSError):
            self._retry_s = self._clock.monotonic() + RETRY_S
        if not self._failing:
            self._failing = True
            self._log("cache_disk_failed", {"error": str(error), "effect": "answers are not stored on it"})
        return True

    def resize(self, bytes_max: int, object_bytes_max: int, small_bytes_max: int) -> None:
        """Other bounds from now on."""
        self.object_bytes_max = object_bytes_max
        self.small_bytes_max = small_bytes_max
        self.writing(partial(self.folder.shrink, bytes_max)).add_done_callback(self.failed)

    def close(self) -> None:
        """What is being written is written first: at most the backlog."""
        self.closed = True
        self._readers.shutdown(cancel_futures=True)
        self._writers.shutdown()
        self.folder.close()

    def _mend(self) -> None:
        try:
            self.folder.mend()
        except OSError as error:
            self._log("cache_not_mended", {"error": str(error), "effect": "what it holds may be more than it counts"})

    def _stored(self, body: bytes | FileBody, waits: int, writing: "asyncio.Future[None]") -> None:
        self.release(1, waits)
        if not isinstance(body, bytes):
            body.free()
        self.wrote(writing)

    def _store(self, made: Object, head: Head, body: bytes | FileBody) -> None:
        path = self.folder.incoming()
        descriptor = create(path)
        try:
            if isinstance(body, bytes):
                checksums = Checksums()
                checksums.add(body)
                end = tail(head, checksums.whole(), len(body))
                write_all(descriptor, body)
                size = len(body)
            else:
                end = tail(head, body.checksums, body.length)
                body.copy_to(descriptor)
                size = body.length
            write_all(descriptor, end)
            self.folder.enter(path, made, size + len(end))
        except BaseException:
            path.unlink(missing_ok=True)  # a full disk must not fill up with our attempts
            raise
        finally:
            os.close(descriptor)
