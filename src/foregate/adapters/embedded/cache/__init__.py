"""The cache of one machine: memory of each worker, a disk that they share, and purges that reach all at once.

`open_cache` makes a worker's `ports.cache.CacheStore`, `open_purger` what a console or a command purges by.
"""

from pathlib import Path

from foregate.adapters.embedded.cache.disk import Log
from foregate.adapters.embedded.cache.invalidation import Invalidation
from foregate.adapters.embedded.cache.store import EmbeddedCache
from foregate.kernel.clock import Clock
from foregate.wire.cache import CacheStorage

__all__ = ["EmbeddedCache", "open_cache", "open_purger"]


def open_cache(folder: Path, worker: int, settings: CacheStorage, clock: Clock, log: Log) -> EmbeddedCache:
    """The cache with its files in `folder`, made when they are not there. Raises OSError when they cannot be had."""
    invalidation = open_purger(folder)
    try:
        return EmbeddedCache(folder, worker, settings, invalidation, clock, log)
    except OSError:
        invalidation.close()
        raise


def open_purger(folder: Path) -> Invalidation:
    """`purge` reaches every worker whose cache has its files in `folder`. Raises OSError."""
    return Invalidation(folder / "purges.bin")
