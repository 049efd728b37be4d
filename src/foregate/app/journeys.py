"""The bus's spans and events into journeys, and its log records into their store."""

from collections.abc import Callable, Sequence

from foregate.adapters.embedded.changes import EmbeddedChanges
from foregate.adapters.embedded.journeys import EmbeddedJourneys
from foregate.adapters.embedded.logs import EmbeddedLogs
from foregate.app.deployment_desk import kept_once
from foregate.app.paths import DataDir
from foregate.kernel.clock import Clock
from foregate.kernel.ids import new_id
from foregate.ports.bus import Bus
from foregate.telemetry.follow import Follower
from foregate.telemetry.journeys import Collector, Query
from foregate.telemetry.journeys.service_map import merged_latency
from foregate.telemetry.journeys.versions import NewVersion, Versions
from foregate.wire import TOPIC_LOGS
from foregate.wire.change import Change
from foregate.wire.log import LogRecord, decode_logs
from foregate.wire.span import Span
from foregate.wire.survey import Journeys

NEW_VERSIONS_MAX = 1_000  # that wait to be stored
BY = "telemetry"


class JourneyKeeping:
    """A `Keeping`: spans and events become journeys. One process for all partitions: a trace may lie in any of them.

    New versions of services, which their spans say, are kept as deployments on the way.
    """

    def __init__(self, open_bus: Callable[[], Bus], data: DataDir, settings: Journeys, clock: Clock) -> None:
        self._store = EmbeddedJourneys(data.journeys, merged_latency)
        self._changes = EmbeddedChanges(data.changes)
        self._bus = open_bus()
        self._versions, self._new = Versions(), list[NewVersion]()
        self._collector = Collector(self._bus, self._store, settings, clock, self._learn)

    def step(self) -> int:
        """Raises OSError."""
        done = self._collector.step()
        while self._new:
            kept_once(self._changes, _deployment(self._new[0]))
            self._new.pop(0)
        return done

    def _learn(self, spans: Sequence[Span]) -> None:
        """At the bound new versions are forgotten: so many at once are no deployments."""
        self._new = (self._new + self._versions.learn(spans))[:NEW_VERSIONS_MAX]

    def close(self) -> None:
        """Traces that are still open are read again by the next one."""
        self._bus.close()
        self._store.close()
        self._changes.close()


def _deployment(new: NewVersion) -> Change:
    where = new.org, new.environment, (new.service,)
    return Change(new_id("dep"), new.time_s, "deployment", *where, version=new.version, by=BY)


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
