"""The bus's spans and events into journeys, and its log records into their store."""

from collections.abc import Callable

from foregate.adapters.embedded.journeys import EmbeddedJourneys
from foregate.adapters.embedded.logs import EmbeddedLogs
from foregate.app.paths import DataDir
from foregate.kernel.clock import Clock
from foregate.ports.bus import Bus
from foregate.telemetry.follow import Follower
from foregate.telemetry.journeys import Collector, Query
from foregate.telemetry.journeys.service_map import merged_latency
from foregate.wire import TOPIC_LOGS
from foregate.wire.log import LogRecord, decode_logs
from foregate.wire.survey import Journeys


class JourneyKeeping:
    """A `Keeping`: spans and events become journeys. One process for all partitions: a trace may lie in any of them."""

    def __init__(self, open_bus: Callable[[], Bus], data: DataDir, settings: Journeys, clock: Clock) -> None:
        self._store = EmbeddedJourneys(data.journeys, merged_latency)
        self._bus = open_bus()
        self._collector = Collector(self._bus, self._store, settings, clock)

    def step(self) -> int:
        """Raises OSError."""
        return self._collector.step()

    def close(self) -> None:
        """Traces that are still open are read again by the next one."""
        self._bus.close()
        self._store.close()


class LogKeeping:
    """A `Keeping`: log records into the store that searches them."""

    def __init__(self, open_bus: Callable[[], Bus], data: DataDir, clock: Clock) -> None:
        self._store = EmbeddedLogs(data.logs, clock)
        self._bus = open_bus()
        self._follower: Follower[LogRecord] = Follower(self._bus, TOPIC_LOGS, decode_logs, self._store)

    def step(self) -> int:
        """Raises OSError."""
        return self._follower.step()

    def close(self) -> None:
        self._bus.close()
        self._store.close()


def journey_answers(data: DataDir) -> Query:
    """Journeys for whoever asks. Raises OSError."""
    return Query(EmbeddedJourneys(data.journeys))
