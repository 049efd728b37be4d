"""OTLP from the clients that people have: the OpenTelemetry SDK by HTTP and by gRPC, and bare gRPC."""

import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import status_pb2
from google.rpc.error_details_pb2 import RetryInfo
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_service
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind
from tests.process.ingest import SECRET, Ingesting, ingesting

from foregate.wire import TOPIC_EVENTS, TOPIC_POINTS, TOPIC_SPANS
from foregate.wire.event import decode_events
from foregate.wire.point import decode_points
from foregate.wire.span import decode_spans

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
KEY = (("x-api-key", SECRET),)
RESOURCE = Resource.create({"service.name": "shop", "deployment.environment.name": "staging"})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingesting]:
    with ingesting(tmp_path_factory.mktemp("otlp")) as running:
        yield running


def trace(exporter: SpanExporter, name: str) -> list[SpanExportResult]:
    """A client's span with a server's within it, by a real SDK. What its exporter was told."""
    results: list[SpanExportResult] = []
    export = exporter.export
    exporter.export = lambda spans: results.append(export(spans)) or results[-1]  # type: ignore[method-assign,func-returns-value]
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    with tracer.start_as_current_span(f"{name} asks", kind=SpanKind.CLIENT):
        attributes = {"http.request.method": "GET", "http.route": f"/{name}", "http.response.status_code": 200}
        with tracer.start_as_current_span(f"{name} answers", kind=SpanKind.SERVER, attributes=attributes):
            pass
    provider.shutdown()
    return results


@pytest.mark.parametrize("way", ["http", "http_gzip", "grpc", "grpc_gzip"])
def test_spans_of_the_opentelemetry_sdk_arrive_and_those_of_servers_are_requests_too(
    server: Ingesting, way: str
) -> None:
    exporter: SpanExporter
    if way.startswith("http"):
        compression = Compression.Gzip if way == "http_gzip" else Compression.NoCompression
        exporter = HttpSpans(f"{server.url}/v1/traces", headers={"x-api-key": SECRET}, compression=compression)
    else:
        packed = grpc.Compression.Gzip if way == "grpc_gzip" else grpc.Compression.NoCompression
        exporter = GrpcSpans(f"127.0.0.1:{server.port}", insecure=True, headers=KEY, compression=packed)
    assert trace(exporter, way) == [SpanExportResult.SUCCESS, SpanExportResult.SUCCESS]
    spans = {one.name: one for one in server.stored(TOPIC_SPANS, decode_spans)}
    asks, answers = spans[f"{way} asks"], spans[f"{way} answers"]
    assert (answers.service, answers.environment, answers.parent_id) == ("shop", "staging", asks.span_id)
    assert answers.trace_id == asks.trace_id
    events = [event for event in server.stored(TOPIC_EVENTS, decode_events) if event.route == f"/{way}"]
    assert [(event.service, event.status, event.source) for event in events] == [("shop", 200, "otlp")]


@pytest.mark.parametrize("way", ["http", "grpc"])
def test_metrics_of_the_opentelemetry_sdk_arrive(server: Ingesting, way: str) -> None:
    exporter: MetricExporter
    if way == "http":
        exporter = HttpMetrics(f"{server.url}/v1/metrics", headers={"authorization": f"Bearer {SECRET}"})
    else:
        exporter = GrpcMetrics(f"127.0.0.1:{server.port}", insecure=True, headers=KEY)
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
    provider = MeterProvider([reader], resource=RESOURCE)
    provider.get_meter("tests").create_counter(f"{way}.orders").add(3)
    provider.shutdown()
    points = [point for point in server.stored(TOPIC_POINTS, decode_points) if point.name == f"{way}.orders"]
    assert [(point.service, point.value, point.monotonic) for point in points] == [("shop", 3.0, True)]


def call(server: Ingesting, request: Message | bytes, key: str = SECRET, path: str = EXPORT) -> bytes:
    """A unary call by grpcio. Raises grpc.RpcError."""
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        method = channel.unary_unary(path)
        body = request if isinstance(request, bytes) else request.SerializeToString()
        answer: bytes = method(body, metadata=[("x-api-key", key)] if key else [], timeout=10)
        return answer


def spans_of(*ids: bytes) -> trace_service.ExportTraceServiceRequest:
    request = trace_service.ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    now_ns = time.time_ns()
    for each in ids:
        times = {"start_time_unix_nano": now_ns, "end_time_unix_nano": now_ns + 1}
        scope.spans.add(trace_id=b"\1" * 16, span_id=each, name="bare", **times)
    return request


def test_a_grpc_client_is_told_which_spans_were_not_taken(server: Ingesting) -> None:
    answer = trace_service.ExportTraceServiceResponse()
    answer.ParseFromString(call(server, spans_of(b"\2" * 8, b"", b"\3" * 8)))
    assert answer.partial_success.rejected_spans == 1
    assert "item 1" in answer.partial_success.error_message


@pytest.mark.parametrize(
    ("request_body", "key", "path", "code"),
    [
        (b"", "", EXPORT, grpc.StatusCode.UNAUTHENTICATED),
        (b"", "fg_wrong_0123456789", EXPORT, grpc.StatusCode.UNAUTHENTICATED),
        (b"\xff\xff\xff", SECRET, EXPORT, grpc.StatusCode.INVALID_ARGUMENT),
        (b"", SECRET, EXPORT + "All", grpc.StatusCode.UNIMPLEMENTED),
    ],
)
def test_a_grpc_client_is_told_its_mistakes_by_their_status(
    server: Ingesting, request_body: bytes, key: str, path: str, code: grpc.StatusCode
) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        call(server, request_body, key, path)
    assert raised.value.code() == code


def test_a_grpc_client_that_need_not_come_again_is_told_no_time(tmp_path: Path) -> None:
    with ingesting(tmp_path, buffer_items_max=1) as running:
        with pytest.raises(grpc.RpcError) as raised:
            call(running, spans_of(b"\1" * 8, b"\2" * 8))
        assert raised.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "grpc-status-details-bin" not in dict(raised.value.trailing_metadata())


def test_a_grpc_client_that_is_to_wait_is_told_how_long(tmp_path: Path) -> None:
    with ingesting(tmp_path) as running:
        running.stop()
        for file in running.data.root.glob("bus.sqlite*"):
            file.unlink()
        running.data.bus.mkdir()  # nothing can be stored there
        running.start(status=503)
        with pytest.raises(grpc.RpcError) as raised:
            call(running, spans_of(b"\1" * 8))
        assert raised.value.code() == grpc.StatusCode.UNAVAILABLE
        status = status_pb2.Status.FromString(dict(raised.value.trailing_metadata())["grpc-status-details-bin"])
        info = RetryInfo()
        assert status.details[0].Unpack(info)
        assert info.retry_delay.seconds == 1
        running.data.bus.rmdir()
        running.until_ready()
        call(running, spans_of(b"\1" * 8))
        assert len(running.stored(TOPIC_SPANS, decode_spans)) == 1
