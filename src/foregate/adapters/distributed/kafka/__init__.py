"""The bus in Kafka, for several machines (the extra `kafka`).

`bus.KafkaBus` keeps `foregate.ports.bus.Bus`; `writing` appends and waits for the brokers, `reading` follows
partitions and drops repeats (`repeats`), `sharing` divides partitions among machines, `topics` makes them,
`connection` says how to sign in.

At least once, made exactly once by who stores the offsets with the data: a batch that was sent again is given as an
empty one, where the first lies at most `repeats.BATCHES_MAX` batches before it. A repeat from further away is doubled.
"""

from foregate.adapters.distributed.kafka.bus import KafkaBus

__all__ = ["KafkaBus"]
