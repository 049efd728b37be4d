"""One worker's cache (`ports.cache.CacheStore`): memory in front of the disk, and what is void of both.

An answer lies under its primary key; where Vary chooses among several, an entry without an answer (a signpost) lies
there and says which names to ask, and each answer lies under a digest of primary key, names and variant.
"""

import hashlib
from collections.abc import Awaitable
from pathlib import Path

import msgspec

from foregate.adapters.embedded.cache.bodies import FileBody, FileWriter
from foregate.adapters.embedded.cache.disk import Disk, Log, digest_of
from foregate.adapters.embedded.cache.filling import Filling
from foregate.adapters.embedded.cache.folder import Folder
from foregate.adapters.embedded.cache.invalidation import Invalidation, Names
from foregate.adapters.embedded.cache.memory import USES_MAX, Memory
from foregate.adapters.embedded.cache.objects import Head, head_of, stored_of
from foregate.kernel.clock import Clock
from foregate.ports.cache import (
    PRIMARY_BYTES_MAX,
    TAGS_MAX,
    VARY_SETS_MAX,
    Absent,
    CacheStats,
    Found,
    Key,
    Moment,
    PurgeKind,
    Select,
    Stored,
    Writer,
)
from foregate.wire.cache import CacheStorage

ENTRY_BYTES = 1_000  # what an entry costs beside its bytes: objects of Python, places in tables
FIELD_BYTES = 180  # and each of its header fields
NOTHING = Stored(0, [], 0.0, 0.0, 0.0)  # in place of an answer, in a signpost
Sets = tuple[tuple[bytes, ...], ...]


class Entry:
    """An answer in memory. `seen`: the generation of purges that it was compared with."""

    __slots__ = ("cell", "key", "main", "mark", "moment", "seen", "sets", "size", "stored", "uses", "version")

    def __init__(self, key: Key, cell: int, moment: Moment, stored: Stored, version: int, sets: Sets = ()) -> None:
        self.key = key
        self.cell = cell
        self.moment = moment
        self.mark = moment.mark
        self.seen = moment.purges
        self.stored = stored
        self.version = version  # of its object on the disk, or what that would be
        self.sets = sets
        self.uses = 0
        self.main = False
        fields = sum([len(name) + 2 * len(value) + FIELD_BYTES for name, value in stored.headers])
        body = len(stored.body) if isinstance(stored.body, bytes) else 0
        self.size = ENTRY_BYTES + 2 * len(key.primary) + len(key.host) + len(key.url) + fields + body


class EmbeddedCache:
    """Made by `open_cache`."""

    def __init__(
        self, folder: Path, worker: int, settings: CacheStorage, invalidation: Invalidation, clock: Clock, log: Log
    ) -> None:
        self._folder = folder
        self._worker = worker
        self._void = invalidation
        self._generation = invalidation.generation
        self._cells = invalidation.cells
        self._clock = clock
        self._log = log
        self._memory: Memory[Entry] = Memory(settings.memory_bytes_max)
        self._find = self._memory.find
        self._disk: Disk | None = None
        self._kept: Disk | None = None  # the same, or one that a reload has put out of use
        self._last_version = 0
        self._not_stored = 0
        self.settings = settings
        self.filling_bytes = 0  # of bodies that are still coming in, in memory: at most half of its bound
        if settings.disk_bytes_max:
            self._disk = self._kept = self._opened()

    # --- finding ---------------------------------------------------------------------------------------------

    def get(self, primary: bytes, select: Select, now_s: float) -> Found | Awaitable[Found]:
        """What suits; an awaitable where it lies on the disk."""
        entry = self._find(primary)
        if entry is not None and self._stands(primary, entry):
            if entry.uses < USES_MAX:
                entry.uses += 1
            if entry.sets:
                return self._variant(primary, entry.sets, select, now_s)
            stored = entry.stored
            if stored.fresh_until_s >= now_s or self._disk is None or not self._newer(primary, entry):
                return stored
        elif self._disk is None or not self._disk.version(digest_of(primary)):
            return Absent.URI
        return self._from_disk(primary, select)

    def _stands(self, name: bytes, entry: Entry) -> bool:
        """Whether it is not void; else it goes."""
        if self._cells[entry.cell] == entry.mark and entry.seen == self._generation[0]:
            return True
        if self._valid(entry):
            return True
        self._memory.remove(name)
        return False

    def _valid(self, entry: Entry) -> bool:
        if entry.sets:
            return True  # a signpost is right whatever becomes of the answers
        if self._cells[entry.cell] != entry.mark:
            return False
        generation = self._generation[0]
        if entry.seen != generation and self._void.purged(Names(entry.key, entry.stored.tags), entry.seen):
            return False
        entry.seen = generation
        return True

    def _newer(self, name: bytes, entry: Entry) -> bool:
        """Whether another worker has put a newer one on the disk."""
        return self._disk is not None and self._disk.version(digest_of(name)) > entry.version

    def _variant(self, primary: bytes, sets: Sets, select: Select, now_s: float) -> Found | Awaitable[Found]:
        for names in sets:
            name = variant_name(primary, names, select(names) if names else b"")
            entry = self._find(name)
            if entry is not None and self._stands(name, entry):
                if entry.stored.fresh_until_s >= now_s or not self._newer(name, entry):
                    if entry.uses < USES_MAX:
                        entry.uses += 1
                    return entry.stored
                return self._from_disk(primary, select)
            if self._disk is not None and self._disk.version(digest_of(name)):
                return self._from_disk(primary, select)
        return Absent.VARIANT

    async def _from_disk(self, primary: bytes, select: Select) -> Found:
        entry = await self._newest(primary, primary)
        if entry is None:
            return Absent.URI
        if not entry.sets:
            return entry.stored
        for names in entry.sets:
            found = await self._newest(variant_name(primary, names, select(names) if names else b""), primary)
            if found is not None:
                return found.stored
        return Absent.VARIANT

    async def _newest(self, name: bytes, primary: bytes) -> Entry | None:
        """The newest under this name, in memory or on the disk."""
        entry = self._find(name)
        if entry is not None and not self._stands(name, entry):
            entry = None
        digest = digest_of(name)
        disk = self._disk
        if disk is None or disk.version(digest) <= (entry.version if entry else 0):
            return entry
        loaded = await disk.load(digest)
        if loaded is None:
            return entry
        return self._taken_over(name, primary, digest, *loaded) or entry

    def _taken_over(
        self, name: bytes, primary: bytes, digest: bytes, head: Head, body: bytes | FileBody
    ) -> Entry | None:
        """An object of the disk as an entry; one with a small body is kept in memory from now on."""
        key = head.key
        entry = Entry(key, self._void.cell(key), head.moment, stored_of(head), head.version, head.sets)
        if head.epoch != self._void.epoch or key.primary != primary or not self._valid(entry):
            if not isinstance(body, bytes):
                body.close()
            if self._disk is not None:
                self._disk.remove(digest, head.version)
            return None
        present = self._find(name)
        if present is not None and present.version > entry.version:  # put while this one was read
            if not isinstance(body, bytes):
                body.close()
            return present
        entry.stored.body = body
        if isinstance(body, bytes):
            entry.size += len(body)
            self._memory.put(name, entry)
        return entry

    # --- keeping ---------------------------------------------------------------------------------------------

    def moment(self, key: Key) -> Moment:
        return self._void.moment(key)

    def put(self, key: Key, moment: Moment, stored: Stored) -> bool:
        """Store an answer whose body is there."""
        if not isinstance(stored.body, bytes) or not self._takes(key, stored, len(stored.body)):
            self._not_stored += 1
            return False
        return self._keep(key, moment, stored)

    def begin(self, key: Key, moment: Moment, head: Stored, length: int | None = None) -> Writer | None:
        """Store an answer whose body is still coming."""
        if not self._takes(key, head, length or 0):
            self._not_stored += 1
            return None
        return Filling(self, key, moment, head, length)

    def refresh(self, key: Key, moment: Moment, old: Stored, head: Stored) -> Stored:
        """`head` with the body of `old` takes its place."""
        fresh = msgspec.structs.replace(head, body=old.body, prepared=None)
        if self._takes(key, fresh, fresh.length):
            self._keep(key, moment, fresh)
        return fresh

    def delete(self, key: Key) -> None:
        """Void all of this organisation, host and url."""
        self._void.touch(key)

    def _takes(self, key: Key, stored: Stored, length: int) -> bool:
        fits = length <= self.settings.object_bytes_max and (length <= self.small_bytes_max or self._disk is not None)
        return fits and len(key.primary) <= PRIMARY_BYTES_MAX and len(stored.tags) <= TAGS_MAX

    def _keep(self, key: Key, moment: Moment, stored: Stored) -> bool:
        """In memory where its body is, and on the disk."""
        name = self._name_for(key, moment, stored)
        entry = Entry(key, self._void.cell(key), moment, stored, self._next_version(name))
        kept = isinstance(stored.body, bytes) and self._memory.put(name, entry)
        if self._disk is not None:
            head = head_of(key, self._void.epoch, moment, entry.version, stored)
            body = stored.body
            if isinstance(body, bytes | FileBody):
                kept = self._disk.store(digest_of(name), head, body) or kept
        self._not_stored += not kept
        return kept

    # --- for bodies that come in -----------------------------------------------------------------------------

    @property
    def small_bytes_max(self) -> int:
        """Of a body in memory."""
        return max(0, self._memory.largest - 2 * ENTRY_BYTES)

    def fills(self, size: int) -> bool:
        """Whether so many bytes more may wait in memory for the rest of their bodies; then they do."""
        if self.filling_bytes + size > self.settings.memory_bytes_max // 2:
            return False
        self.filling_bytes += size
        return True

    def spill(self, key: Key, moment: Moment, stored: Stored) -> FileWriter | None:
        """A file for a body that is too large for memory; None where there is no disk, or it fails."""
        disk = self._disk
        return None if disk is None else disk.begin(digest_of(self._name_for(key, moment, stored)))

    def finish(self, file: FileWriter, key: Key, moment: Moment, stored: Stored) -> bool:
        """All of the body has come in."""
        name = self._name_for(key, moment, stored)
        head = head_of(key, self._void.epoch, moment, self._next_version(name), stored)
        return file.finish(head, lambda: self._memory.remove(name))  # there a smaller one may lie that it replaces

    def lost(self) -> None:
        """Count an answer that is not stored."""
        self._not_stored += 1

    # --- names and numbers -----------------------------------------------------------------------------------

    def _next_version(self, name: bytes) -> int:
        """Later ones of a name are larger, of all workers, by the wall clock if that goes on; no two are the same."""
        before = self._disk.version(digest_of(name)) if self._disk is not None else 0
        tick = max(int(self._clock.now() * 1e6), (self._last_version >> 12) + 1, (before >> 12) + 1)
        self._last_version = tick << 12 | self._worker & 0xFFF
        return self._last_version

    def _name_for(self, key: Key, moment: Moment, stored: Stored) -> bytes:
        """Under which name an answer is to be kept; the signpost at its primary key is set for it."""
        signpost = self._find(key.primary)
        sets = signpost.sets if signpost is not None else ()
        if not stored.vary and not sets:
            return key.primary
        name = variant_name(key.primary, stored.vary, stored.variant)
        if sets[:1] == (stored.vary,):
            return name
        if signpost is not None and not sets:  # an answer without Vary lies there: it is still one
            self._memory.remove(key.primary)
            self._memory.put(variant_name(key.primary, (), b""), signpost)
            sets = ((),)
        sets = (stored.vary, *[names for names in sets if names != stored.vary])[:VARY_SETS_MAX]
        entry = Entry(key, self._void.cell(key), moment, NOTHING, self._next_version(key.primary), sets)
        self._memory.put(key.primary, entry)
        if self._disk is not None:
            head = head_of(key, self._void.epoch, moment, entry.version, NOTHING, sets)
            self._disk.store(digest_of(key.primary), head, b"")
        return name

    # --- the whole -------------------------------------------------------------------------------------------

    def purge(self, kind: PurgeKind, pattern: str, org: str | None = None) -> None:
        """Blocks for the disk: for a thread, or where nobody waits."""
        self._void.purge(kind, pattern, org)

    def stats(self) -> CacheStats:
        disk, memory = self._disk, self._memory
        index = disk.folder.index if disk is not None else None
        return CacheStats(
            memory_bytes=memory.bytes_used + self.filling_bytes,
            memory_bytes_max=memory.bytes_max,
            memory_objects=len(memory),
            memory_evicted=memory.evicted,
            disk_bytes=index.bytes_used if index else 0,
            disk_bytes_max=index.bytes_max if index else 0,
            disk_objects=index.objects if index else 0,
            disk_evicted=index.evicted if index else 0,
            disk_damaged=index.damaged if index else 0,
            not_stored=self._not_stored + (disk.not_stored if disk else 0),
            purges=self._void.purges,
        )

    def resize(self, settings: CacheStorage) -> None:
        """Other bounds from now on; what is beyond them goes. A disk that cannot be had is said, and left out."""
        self.settings = settings
        self._memory.resize(settings.memory_bytes_max)
        if self._disk is not None and settings.disk_bytes_max:
            self._disk.resize(settings.disk_bytes_max, settings.object_bytes_max, self.small_bytes_max)
        elif self._disk is not None:
            self._disk = None  # closed at the end: bodies are still being read from it
        elif settings.disk_bytes_max:
            try:
                self._disk = self._kept or self._opened()
            except OSError as error:
                self._log("cache_disk_failed", {"error": str(error), "effect": "answers are kept in memory alone"})
                return
            self._kept = self._disk
            self._disk.resize(settings.disk_bytes_max, settings.object_bytes_max, self.small_bytes_max)

    def close(self) -> None:
        if self._kept is not None:
            self._kept.close()
        self._void.close()

    def _opened(self) -> Disk:
        return Disk(
            Folder(self._folder, self.settings.disk_bytes_max, self._worker),
            object_bytes_max=self.settings.object_bytes_max,
            small_bytes_max=self.small_bytes_max,
            clock=self._clock,
            log=self._log,
        )


def variant_name(primary: bytes, names: tuple[bytes, ...], variant: bytes) -> bytes:
    """What an answer that Vary has chosen is kept under; no primary key is like it."""
    parts = (primary, b"\0".join(names), variant)
    digest = hashlib.blake2b(digest_size=32)
    for part in parts:
        digest.update(len(part).to_bytes(4, "little") + part)
    return digest.digest()
