"""Metrics on the way that those of users take: real bodies, the intake's own reading of them, the bus, the watch."""

from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from tests.telemetry.formats.making import attributes

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.app.signals import Resources, ResourceWatch
from foregate.kernel.clock import ManualClock
from foregate.ports.bus import Bus
from foregate.telemetry.formats.options import Options
from foregate.telemetry.formats.remote_write import _write_request
from foregate.telemetry.ingest.endpoints import ENDPOINTS
from foregate.telemetry.ingest.reading import Reader
from foregate.telemetry.ingest.rounds import Post, Producer, appends_of
from foregate.wire.ingest import IngestKey

Metrics = Mapping[str, Any]  # name → its value, or values with their attributes
HEAP = {"jvm.memory.type": "heap"}
CUMULATIVE, DELTA = 2, 1


class Sending:
    """`resources` are those of a running analyzer; `again` is another one on the same bus."""

    def __init__(self, bus: Bus, clock: ManualClock, resources: Resources) -> None:
        self.bus, self.clock = bus, clock
        self._reader = Reader(Options(), 1 << 20, 1_000, clock)
        self._producer = Producer("intake")
        self.resources = resources
        self.watch = ResourceWatch(bus, resources, clock)

    def again(self) -> None:
        self.resources = Resources()
        self.watch = ResourceWatch(self.bus, self.resources, self.clock)

    def otlp(self, service: str, instance: str, metrics: Metrics, at_s: float, **more: Any) -> None:
        """What an SDK exports: levels are UpDownCounters, shares gauges."""
        request = ExportMetricsServiceRequest()
        of = request.resource_metrics.add()
        said = {"service.name": service, "service.instance.id": instance, **more.get("resource", {})}
        attributes(of.resource, {name: value for name, value in said.items() if value})
        scope = of.scope_metrics.add()
        for name, values in metrics.items():
            metric = scope.metrics.add(name=name)
            into = metric.gauge if name.endswith("utilization") else metric.sum
            if not name.endswith("utilization"):
                into.aggregation_temporality = more.get("temporality", CUMULATIVE)
                into.is_monotonic = more.get("monotonic", False)
            for value, about in values if isinstance(values, list) else [(values, {})]:
                point = into.data_points.add(time_unix_nano=int(at_s * 1e9), as_double=value)
                attributes(point, dict(about))
        self._post(b"/v1/metrics", request.SerializeToString(), more.get("org", "default"))

    def prometheus(self, job: str, instance: str, metrics: Metrics, at_s: float) -> None:
        """What Prometheus writes remotely."""
        request = _write_request()()
        for name, values in metrics.items():
            for value, about in values if isinstance(values, list) else [(values, {})]:
                series = request.timeseries.add()
                for label, said in {"__name__": name, "job": job, "instance": instance, **about}.items():
                    series.labels.add(name=label, value=said)
                series.samples.add(value=value, timestamp=int(at_s * 1e3))
        self._post(b"/api/v1/write", request.SerializeToString(), "default")

    def _post(self, path: bytes, body: bytes, org: str) -> None:
        """As the intake does; it has come at the clock's time, and the watch looks."""
        headers = [(b"content-type", b"application/x-protobuf"), (b"content-encoding", b"identity")]
        understood = self._reader.read(ENDPOINTS[path], False, IngestKey("sender", "", org), headers, body)
        assert not understood.parsed.invalid, understood.parsed.rejected
        post = Post(understood.parts, "", len(body), lambda outcome: None)
        self.bus.append_all(appends_of([post], self.bus.partitions, 1_000, self._producer)[0])
        self.watch.step()


def sending(folder: Any, clock: ManualClock, resources: Resources | None = None) -> Sending:
    return Sending(EmbeddedBus(folder / "bus.sqlite", clock), clock, resources or Resources())
