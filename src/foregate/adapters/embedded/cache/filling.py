"""An answer whose body is still coming in: in memory while it is small, then on the disk, where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from foregate.ports.cache import Key, Moment, Stored

if TYPE_CHECKING:
    from foregate.adapters.embedded.cache.bodies import FileWriter
    from foregate.adapters.embedded.cache.store import EmbeddedCache


class Filling:
    """`ports.cache.Writer`."""

    __slots__ = ("_chunks", "_file", "_head", "_key", "_length", "_moment", "_over", "_size", "_store")

    def __init__(self, store: EmbeddedCache, key: Key, moment: Moment, head: Stored, length: int | None) -> None:
        self._store = store
        self._key = key
        self._moment = moment
        self._head = head
        self._length = length  # what it must be in the end; None: not known
        self._size = 0
        self._chunks: list[bytes] = []
        self._file: FileWriter | None = None
        self._over = False

    def append(self, chunk: bytes) -> bool:
        """False: it will not be stored."""
        if self._over:
            return False
        self._size += len(chunk)
        if self._size > self._store.settings.object_bytes_max:
            return self._lose()
        if self._file is not None:
            return self._file.append(chunk) or self._lose()
        if self._size > self._store.small_bytes_max:
            return self._spill(chunk)
        if not self._store.fills(len(chunk)):
            return self._lose()
        self._chunks.append(chunk)
        return True

    def commit(self) -> bool:
        """False: it was not stored, which is also so for a body of another length than was said."""
        if self._over:
            return False
        if self._length is not None and self._length != self._size:
            return self._lose()
        if self._file is None:
            body = b"".join(self._chunks)
            self._end()
            return self._store.put(self._key, self._moment, msgspec.structs.replace(self._head, body=body))
        self._over = True
        return self._store.finish(self._file, self._key, self._moment, self._head)

    def discard(self) -> None:
        if not self._over:
            self._end()
            if self._file is not None:
                self._file.abandon()

    def _spill(self, chunk: bytes) -> bool:
        """Too large for memory: what there is goes to the disk, and so will the rest."""
        self._file = self._store.spill(self._key, self._moment, self._head)
        if self._file is None:
            return self._lose()
        chunks = [*self._chunks, chunk]
        self._free()
        return all(map(self._file.append, chunks)) or self._lose()

    def _lose(self) -> bool:
        self._store.lost()
        self.discard()
        return False

    def _end(self) -> None:
        self._over = True
        self._free()

    def _free(self) -> None:
        self._store.filling_bytes -= sum(map(len, self._chunks))
        self._chunks.clear()
