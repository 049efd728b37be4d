"""foregate's own metrics, traces and logs on their way to a collector: loops of the keeper.

Traces and logs are read from the bus, so that a collector which is away for a while misses nothing that the bus keeps.
How far each has come stands in a file of its own; after kill -9 the last request may be sent twice. What a collector
refuses for good is counted, said, and passed over.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import structlog

from foregate.app.observe.page import Family, points
from foregate.app.observe.sending import Refused, send
from foregate.app.paths import write_private
from foregate.kernel.clock import Clock
from foregate.ports.bus import Bus
from foregate.telemetry.follow import Follower
from foregate.telemetry.formats.otlp.write import write_logs, write_points, write_spans
from foregate.telemetry.journeys.from_event import spans_of
from foregate.wire import TOPIC_EVENTS, TOPIC_LOGS
from foregate.wire.event import RequestEvent, decode_events
from foregate.wire.export import Export, Signal
from foregate.wire.log import LogRecord, decode_logs

ITEMS_MAX = 2_000  # of one request
OWN = "foregate"  # the service under which our own logs go


class MetricsExport:
    """Every `interval_s`; keeps `app.keeping.Keeping`. Numbers that could not be sent are old by the next time."""

    def __init__(
        self,
        export: Export,
        families: Callable[[], Iterable[Family]],
        origin: tuple[str, str, str],
        clock: Clock,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._export = export
        self._families = families
        self._origin = origin  # org, environment, instance
        self._clock = clock
        self._log = log
        self._next_s = 0.0

    def step(self) -> int:
        if self._clock.monotonic() < self._next_s:
            return 0
        self._next_s = self._clock.monotonic() + self._export.interval_s
        body = write_points(points(self._families(), *self._origin, self._clock.now()))
        try:
            send(self._export, "metrics", body, self._clock)
        except Refused as error:
            self._log.error("export_refused", signal="metrics", reason=str(error))
        return 0

    def close(self) -> None:
        """Nothing is held."""


class _Collector:
    """What a `Follower` sees as its store: sends, then notes how far."""

    def __init__(
        self, export: Export, signal: Signal, state: Path, clock: Clock, log: structlog.typing.FilteringBoundLogger
    ) -> None:
        self._export = export
        self._signal: Signal = signal
        self._state = state
        self._clock = clock
        self._log = log
        self.refused = 0

    def offsets(self, topic: str) -> dict[int, int]:
        try:
            return msgspec.json.decode(self._state.read_bytes(), type=dict[str, dict[int, int]]).get(topic, {})
        except FileNotFoundError:
            return {}
        except msgspec.DecodeError as error:
            raise OSError(
                f"{self._state} is damaged ({error}): delete it, and exports begin with what the bus has"
            ) from error

    def send(self, bodies: Iterable[tuple[bytes, int]], topic: str, offsets: Mapping[int, int]) -> None:
        for body, items in bodies:
            try:
                send(self._export, self._signal, body, self._clock)
            except Refused as error:
                self.refused += items
                self._log.error("export_refused", signal=self._signal, items=self.refused, reason=str(error))
        write_private(self._state, msgspec.json.encode({topic: offsets}).decode(), durable=False)


class _Traces(_Collector):
    def take(
        self, items: Sequence[RequestEvent], topic: str, offsets: Mapping[int, int], counts: Mapping[str, int]
    ) -> None:
        spans = [span for event in items if event.source == "gateway" for span in spans_of(event)]
        self.send(_parts(spans, write_spans), topic, offsets)


class _Logs(_Collector):
    def take(
        self, items: Sequence[LogRecord], topic: str, offsets: Mapping[int, int], counts: Mapping[str, int]
    ) -> None:
        # Not what others send under our name: nor our own again, from an endpoint that is ours
        own = [record for record in items if record.service == OWN and record.source == "gateway"]
        self.send(_parts(own, write_logs), topic, offsets)


def _parts(items: Sequence[object], encode: Callable[..., bytes]) -> Iterable[tuple[bytes, int]]:
    for begin in range(0, len(items), ITEMS_MAX):
        part = items[begin : begin + ITEMS_MAX]
        yield encode(part), len(part)


class FollowingExport:
    """Traces or logs; keeps `app.keeping.Keeping`."""

    def __init__(
        self, export: Export, signal: Signal, bus: Bus, folder: Path, clock: Clock,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:  # fmt: skip
        state = folder / f"export-{signal}.json"
        self._bus = bus
        self._follower: Follower[RequestEvent] | Follower[LogRecord]
        if signal == "traces":
            self._follower = Follower(bus, TOPIC_EVENTS, decode_events, _Traces(export, signal, state, clock, log))
        else:
            self._follower = Follower(bus, TOPIC_LOGS, decode_logs, _Logs(export, signal, state, clock, log))

    def step(self) -> int:
        return self._follower.step()

    def close(self) -> None:
        self._bus.close()
