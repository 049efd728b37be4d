"""What a worker keeps for all its routes that cache: the store, the paths that were not found, and their numbers."""

import random

from foregate.gateway import layout
from foregate.gateway.cache.not_found import NotFoundPaths
from foregate.kernel.clock import Clock
from foregate.ports.blocks import Cells
from foregate.ports.cache import CacheStore
from foregate.wire.cache import CacheStorage

_SEED_BYTES = 16


class Kept:
    """`store` and `paths` are for the policies. `cells`: this worker's of the block `layout.CACHE`."""

    def __init__(
        self, store: CacheStore, settings: CacheStorage, clock: Clock, rng: random.Random, cells: Cells
    ) -> None:
        self.store = store
        self.paths = NotFoundPaths(settings.not_found, store, clock, rng.randbytes(_SEED_BYTES))
        self._settings = settings
        self._cells = cells

    def apply(self, settings: CacheStorage) -> None:
        """A configuration is put in force. Answers stay; paths that were not found may be found by it."""
        self.paths.configure(settings.not_found)
        if settings != self._settings:
            self._settings = settings
            self.store.resize(settings)

    def publish(self) -> None:
        """Write the numbers that rise and fall."""
        cells, stats, paths = self._cells, self.store.stats(), self.paths
        cells[layout.CACHE_MEMORY_BYTES] = stats.memory_bytes
        cells[layout.CACHE_MEMORY_BYTES_MAX] = stats.memory_bytes_max
        cells[layout.CACHE_MEMORY_OBJECTS] = stats.memory_objects
        cells[layout.CACHE_MEMORY_EVICTED] = stats.memory_evicted
        cells[layout.CACHE_NOT_STORED] = stats.not_stored
        cells[layout.CACHE_DISK_BYTES] = stats.disk_bytes
        cells[layout.CACHE_DISK_BYTES_MAX] = stats.disk_bytes_max
        cells[layout.CACHE_DISK_OBJECTS] = stats.disk_objects
        cells[layout.CACHE_DISK_EVICTED] = stats.disk_evicted
        cells[layout.CACHE_DISK_DAMAGED] = stats.disk_damaged
        cells[layout.CACHE_PURGES] = stats.purges
        cells[layout.NOT_FOUND_ANSWERED] = paths.answered
        cells[layout.NOT_FOUND_KNOWN] = paths.entries
        cells[layout.NOT_FOUND_FILTERED] = paths.remembered
        cells[layout.NOT_FOUND_FALSE_POSITIVES] = paths.false_positive_share

    def reset(self) -> None:
        """Nothing is kept any more."""
        for cell in range(layout.CACHE_CELLS):
            self._cells[cell] = 0.0
