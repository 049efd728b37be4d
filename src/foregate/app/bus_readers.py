"""Who reads the bus, and how far each has come: what the bound of the bus and the lag are told by.

A store that reads a topic is a line in `bus_readers`. What it has not read is deleted last, and counted as lost.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple, Protocol

from foregate.adapters.embedded.journeys import EmbeddedJourneys
from foregate.adapters.embedded.logs import EmbeddedLogs
from foregate.app.archiving import ARCHIVED
from foregate.app.paths import DataDir
from foregate.app.runtime import Runtime
from foregate.app.stores import open_archive_offsets, open_series
from foregate.kernel.clock import SystemClock
from foregate.ports.bus import Bus
from foregate.wire import TOPIC_EVENTS, TOPIC_HISTORY, TOPIC_LOGS, TOPIC_SPANS

Offsets = Callable[[str], Mapping[int, int]]  # of a topic: partition → last offset that is stored. Raises OSError


class BusReader(NamedTuple):
    """`name` is what people are told."""

    name: str
    topics: Collection[str]
    offsets: Offsets

    def read_to(self, bus: Bus, topic: str) -> dict[int, int]:
        """Partition → last offset it has stored, -1 for none. Raises OSError."""
        stored = self.offsets(topic)
        read = {}
        for partition in range(bus.partitions):
            offset = stored.get(partition, -1)
            # One beyond the end is of another bus, that was here before this one.
            read[partition] = offset if offset <= bus.last_offset(topic, partition) else -1
        return read


class Lag(NamedTuple):
    """What `reader` has still to read of `topic`; `items` None where that is not known. Both None: it cannot say."""

    reader: str
    topic: str
    batches: int | None
    items: int | None


def bus_readers(data: DataDir, runtime: Runtime) -> list[BusReader]:
    """All stores that follow the bus."""
    readers = [
        BusReader("windows", (TOPIC_EVENTS, TOPIC_HISTORY), stored(lambda: open_series(runtime, data))),
        BusReader("archive", tuple(ARCHIVED), stored(lambda: open_archive_offsets(runtime, data))),
        BusReader("logs", (TOPIC_LOGS,), stored(lambda: EmbeddedLogs(data.logs, SystemClock()))),
    ]
    if runtime.journeys.enabled:
        readers.append(BusReader("journeys", (TOPIC_EVENTS, TOPIC_SPANS), stored(lambda: NeededByJourneys(data))))
    return readers


def lags(bus: Bus, readers: Sequence[BusReader]) -> list[Lag]:
    """By reader and topic. Raises OSError when the bus cannot be read."""
    found = []
    for reader in readers:
        for topic in reader.topics:
            try:
                read_to = reader.read_to(bus, topic)
            except OSError:
                found.append(Lag(reader.name, topic, None, None))
                continue
            found.append(Lag(reader.name, topic, *bus.lag(topic, read_to)))
    return found


class _KeepsOffsets(Protocol):
    def offsets(self, topic: str) -> dict[int, int]: ...

    def close(self) -> None: ...


def stored(open_store: Callable[[], _KeepsOffsets]) -> Offsets:
    """The offsets that a store keeps, opened for each answer: it may be moved away, or not be there yet."""

    def offsets(topic: str) -> Mapping[int, int]:
        with closing(open_store()) as store:
            return store.offsets(topic)

    return offsets


class NeededByJourneys:
    """The store of journeys as the bound of the bus sees it: spans of traces that are not decided are needed still."""

    def __init__(self, data: DataDir) -> None:
        self._store = EmbeddedJourneys(data.journeys)

    def offsets(self, topic: str) -> dict[int, int]:
        """Partition → up to where nothing is needed."""
        return self._store.needed(topic)

    def close(self) -> None:
        self._store.close()
