"""All questions about traffic in one object, for wiring into the API."""

from collections.abc import Callable, Mapping

from foregate.ports.bus import Bus
from foregate.ports.series import SeriesReader
from foregate.telemetry.query.events import EventTail, recent_events
from foregate.telemetry.query.metrics import metrics
from foregate.wire import TOPIC_EVENTS
from foregate.wire.event import RequestEvent
from foregate.wire.usage import HOUR_S, UsageAnswer, UsageBy
from foregate.wire.window import MetricsAnswer

_LAG_BATCHES_MAX = 64  # per partition: beyond it the lag is "at least"


class Query:
    """Reads the series and the bus. Blocking; threads may share it when they may share the ports."""

    def __init__(self, series: SeriesReader, bus: Bus, offsets: Callable[[], Mapping[int, int]]) -> None:
        """`offsets` gives partition → last offset that stored windows cover (`SeriesWriter.offsets`)."""
        self._series = series
        self._bus = bus
        self._offsets = offsets

    def metrics(
        self, *, span_s: int, from_s: float, until_s: float, service: str | None = None, route: str | None = None
    ) -> MetricsAnswer:
        """See `metrics.metrics`."""
        return metrics(self._series, span_s=span_s, from_s=from_s, until_s=until_s, service=service, route=route)

    def recent_events(self, limit: int) -> list[RequestEvent]:
        """The newest events, newest first."""
        return recent_events(self._bus, limit)

    def tail(self) -> EventTail:
        """A reader that begins after the newest event."""
        return EventTail(self._bus)

    def usage(self, *, by: UsageBy, from_s: float, until_s: float) -> UsageAnswer:
        """The ledger of AI traffic: whole hours, from the one that holds `from_s`."""
        return self._series.usage(by, from_s // HOUR_S * HOUR_S, until_s)

    def counts(self) -> Mapping[str, int]:
        """The telemetry accounts: outcome → items, since ever."""
        return self._series.counts()

    def lag_events(self) -> int:
        """Events on the bus that no stored window covers yet; a lower bound when there are very many."""
        covered = self._offsets()
        return sum(
            batch.items
            for partition in range(self._bus.partitions)
            for batch in self._bus.read(TOPIC_EVENTS, partition, covered.get(partition, -1), _LAG_BATCHES_MAX)
        )
