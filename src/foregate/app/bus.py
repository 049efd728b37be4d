"""The bus that the configuration names."""

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.app.paths import DataDir
from foregate.kernel.clock import Clock
from foregate.ports.bus import Bus
from foregate.wire.bus import Kafka


def open_bus(data: DataDir, kafka: Kafka | None, clock: Clock, *, reader: str = "") -> Bus:
    """A handle of its own for each process and each reader in it. `kafka`: `Runtime.bus`. Raises OSError.

    `reader` names who asks it for its partitions (`Bus.assigned`): with a group they are shared among the machines
    whose readers have that name. One name for each store that follows the bus; none for who reads all in any case.
    """
    if kafka is None:
        return EmbeddedBus(data.bus, clock)
    from foregate.adapters.distributed.kafka import KafkaBus  # an extra: who has no Kafka need not install it

    return KafkaBus(kafka, clock, reader=reader)
