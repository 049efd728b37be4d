"""The bus on one machine: an SQLite file, one row per batch, written by several processes.

`log.EmbeddedBus` keeps `foregate.ports.bus.Bus`; `file` opens and locks, `seen` remembers batches by their id,
`retention` deletes what is old or too much.
"""

from foregate.adapters.embedded.bus.log import EmbeddedBus

__all__ = ["EmbeddedBus"]
