"""One machine, no services: SQLite, memory-mapped files, plain HTTP outward.

Import the module you need; this package imports none, because a gateway worker may load only `spool`, `blocks`,
`limits` and `cache` (standard library and msgspec), never the rest.
- `blocks.open_blocks` keeps `ports.blocks`, `limits.open_limits` `ports.limits`, `spool.Spool` `ports.sink`; `courier`
  moves what is spooled into a bus
- `bus.EmbeddedBus` keeps `ports.bus`; `series.EmbeddedSeries`, `findings.EmbeddedFindings` keep their ports
- `notifier.Webhook` keeps `ports.notifier`, `cache.open_cache` `ports.cache`

Promise: what was acknowledged survives kill -9; a damaged or newer file is refused with a sentence, never wiped
(but the cache's, which can be had again).
"""
