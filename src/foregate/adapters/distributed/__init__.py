"""Several machines: the same ports on servers that they share.

Import the module you need; this package imports none, because each needs a client of its own.
- `limits.store.ValkeyLimits` keeps `ports.limits` in Valkey or Redis (extra `valkey`)
- `kafka.KafkaBus` keeps `ports.bus` in Kafka (extra `kafka`)
- `postgres` keeps `ports.series` and `ports.archive` in PostgreSQL (extra `postgres`)

Promise: when the server is gone, the caller waits for a bounded time, a few times; then it costs nothing until it is
back.
"""
