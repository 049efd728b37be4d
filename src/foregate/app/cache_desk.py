"""What a person may do with the cache: look at its numbers, and purge. By the files that the workers share."""

from foregate.adapters.embedded.blocks import open_blocks
from foregate.adapters.embedded.cache import open_purger
from foregate.app.paths import DataDir
from foregate.app.runtime import read_runtime
from foregate.gateway import layout
from foregate.ports.cache import CacheStats, PurgeKind


class NoCache(OSError):
    """No gateway has begun with this data directory."""


class CacheDesk:
    """`ports.cache.Purger` for the console and the command line. Blocking; raises OSError."""

    def __init__(self, data: DataDir) -> None:
        self._data = data

    def purge(self, kind: PurgeKind, pattern: str, org: str | None = None) -> None:
        """Raises NoCache, and ValueError for a pattern that names nothing."""
        if not self._data.cache.is_dir():
            raise NoCache(f"no gateway has begun with its data in {self._data.root}")
        purger = open_purger(self._data.cache)
        try:
            purger.purge(kind, pattern, org)
        finally:
            purger.close()

    def stats(self) -> CacheStats:
        """As the workers said within the last second: memory summed up, what they share as one of them sees it."""
        blocks = open_blocks(self._data.counters, read_runtime(self._data).workers, None)
        (block,) = blocks.claim([(layout.CACHE, layout.CACHE_CELLS)])
        total = [int(block.total(cell)) for cell in range(layout.CACHE_CELLS)]
        shared = [int(max(block.each(cell))) for cell in range(layout.CACHE_CELLS)]
        blocks.close()
        return CacheStats(
            memory_bytes=total[layout.CACHE_MEMORY_BYTES],
            memory_bytes_max=total[layout.CACHE_MEMORY_BYTES_MAX],
            memory_objects=total[layout.CACHE_MEMORY_OBJECTS],
            memory_evicted=total[layout.CACHE_MEMORY_EVICTED],
            not_stored=total[layout.CACHE_NOT_STORED],
            disk_bytes=shared[layout.CACHE_DISK_BYTES],
            disk_bytes_max=shared[layout.CACHE_DISK_BYTES_MAX],
            disk_objects=shared[layout.CACHE_DISK_OBJECTS],
            disk_evicted=shared[layout.CACHE_DISK_EVICTED],
            disk_damaged=shared[layout.CACHE_DISK_DAMAGED],
            purges=shared[layout.CACHE_PURGES],
        )
