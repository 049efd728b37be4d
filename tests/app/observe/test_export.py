"""What foregate says of itself reaches a collector by OTLP: nothing is missing when that was away, and what it refuses
for good stops nothing."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.telemetry.making import event

from foregate.adapters.embedded.bus import EmbeddedBus
from foregate.app.observe.export import FollowingExport, MetricsExport
from foregate.app.observe.page import Family, Sample, gauge, histogram
from foregate.http1 import Request, Response, Server
from foregate.kernel.clock import SystemClock
from foregate.wire import TOPIC_EVENTS, TOPIC_LOGS
from foregate.wire.export import Export
from foregate.wire.log import LogRecord, encode_logs

CLOCK = SystemClock()


@dataclass
class Collector:
    """A real HTTP server that takes OTLP, or answers `status`."""

    url: str = ""
    status: int = 200
    taken: list[tuple[str, bytes, str]] = field(default_factory=list)  # path, body, authorization

    async def handle(self, request: Request) -> Response:
        body = await request.body()
        if self.status == 200:
            self.taken.append((request.path, body, request.header("authorization") or ""))
        return Response(self.status, b"")


@contextmanager
def collector() -> Iterator[Collector]:
    found, loop = Collector(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = Server(found.handle, CLOCK)
    port = asyncio.run_coroutine_threadsafe(server.start("127.0.0.1", 0), loop).result(10)
    found.url = f"http://127.0.0.1:{port}"
    try:
        yield found
    finally:
        asyncio.run_coroutine_threadsafe(server.close(timeout_s=1.0), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def following(to: Collector, signal: Any, folder: Path) -> FollowingExport:
    bus = EmbeddedBus(folder / "bus.sqlite", CLOCK)
    export = Export(to.url, headers={"Authorization": "Bearer x"})
    return FollowingExport(export, signal, bus, folder, CLOCK, structlog.get_logger())


def put_requests(folder: Path, *names: str) -> None:
    bus = EmbeddedBus(folder / "bus.sqlite", CLOCK)
    events = [
        event(request_id=name, trace_id=f"{number:032x}", span_id=f"{number:016x}", source="gateway")
        for number, name in enumerate(names, 1)
    ]
    payload = msgspec.msgpack.encode(events)
    bus.append(TOPIC_EVENTS, 0, payload, len(events), producer="-".join(names), sequence=0)
    bus.close()


def request_ids(taken: list[tuple[str, bytes, str]]) -> set[str]:
    return {
        attribute.value.string_value
        for _, body, _ in taken
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
        for attribute in span.attributes
        if attribute.key == "http.request.id"
    }


def test_requests_of_the_gateway_become_traces_and_none_is_missing_after_a_break(tmp_path: Path) -> None:
    with collector() as to:
        put_requests(tmp_path, "a", "b")
        exporting = following(to, "traces", tmp_path)
        exporting.step()
        to.status = 503
        put_requests(tmp_path, "c")
        with pytest.raises(OSError, match="answers 503"):
            exporting.step()
        exporting.close()
        to.status = 200
        again = following(to, "traces", tmp_path)  # the keeper was killed meanwhile
        again.step()
        assert again.step() == 0
        again.close()
        assert request_ids(to.taken) == {"a", "b", "c"}
        assert {(path, told) for path, _, told in to.taken} == {("/v1/traces", "Bearer x")}
        assert len(to.taken) == 2


def test_what_a_collector_refuses_for_good_is_passed_over(tmp_path: Path) -> None:
    with collector() as to:
        exporting = following(to, "traces", tmp_path)
        to.status = 400
        put_requests(tmp_path, "a")
        exporting.step()
        to.status = 200
        put_requests(tmp_path, "b")
        exporting.step()
        assert request_ids(to.taken) == {"b"}
        exporting.close()


def test_only_our_own_log_leaves(tmp_path: Path) -> None:
    bus = EmbeddedBus(tmp_path / "bus.sqlite", CLOCK)
    records = [LogRecord("acme", "test", service, 1, 17, service, source="gateway") for service in ("foregate", "shop")]
    records.append(LogRecord("acme", "test", "foregate", 1, 17, "what somebody has sent, or we to ourselves"))
    bus.append(TOPIC_LOGS, 0, encode_logs(records), 3, producer="p", sequence=0)
    bus.close()
    with collector() as to:
        exporting = following(to, "logs", tmp_path)
        exporting.step()
        exporting.close()
        ((path, body, _),) = to.taken
        (resource,) = ExportLogsServiceRequest.FromString(body).resource_logs
        assert path == "/v1/logs"
        assert [each.body.string_value for each in resource.scope_logs[0].log_records] == ["foregate"]


def test_numbers_are_points_with_their_labels_and_histograms_whole() -> None:
    families: list[Family] = [
        gauge("foregate_bus_lag_items", "", Sample(3, {"reader": "windows"})),
        histogram("foregate_ingest_flush_seconds", "", (0.1, 1.0), [2, 1, 1], 2.5),
    ]
    with collector() as to:
        export = Export(to.url, interval_s=60.0)
        metrics = MetricsExport(export, lambda: families, ("acme", "test", "h"), CLOCK, structlog.get_logger())
        metrics.step()
        metrics.step()  # not yet time
        ((path, body, _),) = to.taken
    (resource,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    lag, flush = resource.scope_metrics[0].metrics
    assert path == "/v1/metrics"
    assert (lag.name, lag.gauge.data_points[0].as_double) == ("foregate_bus_lag_items", 3.0)
    assert [each.value.string_value for each in lag.gauge.data_points[0].attributes] == ["windows"]
    (point,) = flush.histogram.data_points
    assert (list(point.bucket_counts), list(point.explicit_bounds)) == ([2, 1, 1], [0.1, 1.0])
    assert (point.sum, point.count) == (2.5, 4)
