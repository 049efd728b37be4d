"""What foregate says in OTLP is what it reads, and OpenTelemetry's own messages understand its answers."""

import json
from typing import Any

import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from tests.telemetry.formats.making import logs, metrics, took, traces

from foregate.telemetry.formats import Parsed
from foregate.telemetry.formats.otlp import answers, write
from foregate.wire.event import AiUsage
from foregate.wire.point import Point

PROTOBUF = "application/x-protobuf"
RESPONSES: Any = {
    "traces": (ExportTraceServiceResponse, "spans", "rejected_spans", "rejectedSpans"),
    "metrics": (ExportMetricsServiceResponse, "points", "rejected_data_points", "rejectedDataPoints"),
    "logs": (ExportLogsServiceResponse, "logs", "rejected_log_records", "rejectedLogRecords"),
}


def test_spans_logs_and_points_come_back_as_they_were() -> None:
    spans = took("traces", PROTOBUF, traces(20).SerializeToString()).spans
    assert took("traces", PROTOBUF, write.write_spans(spans)).spans == spans
    records = took("logs", PROTOBUF, logs(20).SerializeToString()).logs
    assert took("logs", PROTOBUF, write.write_logs(records)).logs == records
    points = took("metrics", PROTOBUF, metrics(20).SerializeToString()).points
    points.append(Point("acme", "p", "s", "h", "histogram", 1.79e9, 9.5, count=6, bounds=(1.0, 2.0), buckets=(1, 2, 3)))
    points.append(Point("acme", "p", "s", "q", "summary", 1.79e9, 9.5, count=6, bounds=(0.5,), values=(2.0,)))
    points.append(Point("acme", "p", "s", "t", "sum", 1.79e9, 9.5, monotonic=True, delta=True, start_s=1.78e9))
    found = took("metrics", PROTOBUF, write.write_points(points)).points
    assert sorted(found, key=repr) == sorted([point if point.region else _placed(point) for point in points], key=repr)


def _placed(point: Point) -> Point:
    """As read from a sender with a region and a cloud."""
    fields = {name: getattr(point, name) for name in point.__struct_fields__}
    return Point(**fields | {"region": "eu-1", "cloud": "aws"})


def test_requests_come_back_as_they_were() -> None:
    events = took("traces", PROTOBUF, traces(20).SerializeToString()).events
    assert len(events) == 10
    assert took("traces", PROTOBUF, write.write_events(events)).events == events


def test_models_come_back_as_they_were() -> None:
    event = took("traces", PROTOBUF, traces(20).SerializeToString()).events[0]
    usage = AiUsage("chat", "openai", "gpt-5", "gpt-5-1", 7, 9, 3, 0.0, False, -1.0, -1.0, False, "stop")
    asked = type(event)(**{name: getattr(event, name) for name in event.__struct_fields__} | {"ai": usage})
    assert took("traces", PROTOBUF, write.write_events([asked])).events[0].ai == usage


@pytest.mark.parametrize("signal", RESPONSES)
def test_a_partial_success_says_how_many_and_why(signal: Any) -> None:
    message, kind, count, count_json = RESPONSES[signal]
    parsed = Parsed()
    assert answers.exported(signal, parsed, json=False) == b""
    assert answers.exported(signal, parsed, json=True) == b"{}"
    for index in range(300):
        parsed.reject(kind, index, "It lies ahead.")
    said = message.FromString(answers.exported(signal, parsed, json=False)).partial_success
    assert getattr(said, count) == 300
    assert said.error_message.startswith("item 0: It lies ahead.")
    assert said.error_message.endswith("And 295 more.")
    as_json = json.loads(answers.exported(signal, parsed, json=True))["partialSuccess"]
    assert as_json == {count_json: "300", "errorMessage": said.error_message}


def test_a_failure_says_when_to_come_again() -> None:
    said = Status.FromString(answers.failed(8, "Too much.", json=False, retry_after_s=1.5))
    info = RetryInfo()
    assert said.details[0].Unpack(info)
    assert (said.code, said.message, info.retry_delay.ToTimedelta().total_seconds()) == (8, "Too much.", 1.5)
    assert json.loads(answers.failed(3, "Bad.", json=True)) == {"code": 3, "message": "Bad."}
