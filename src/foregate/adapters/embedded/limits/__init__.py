"""Limits of one machine, exact across its workers, without a lock and without a server.

`store.EmbeddedLimits` keeps `ports.limits` on a memory-mapped `table`; `rules` has one file per algorithm. Each
decides purely: the cells that all workers have for a subject go in, the verdict and the worker's own new cells come
out.
"""

from foregate.adapters.embedded.limits.store import EmbeddedLimits, open_limits

__all__ = ["EmbeddedLimits", "open_limits"]
