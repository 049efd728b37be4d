"""Good items and bodies of every format, for the tests of the readers and for the fuzzer."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import msgspec
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from foregate.telemetry.formats import Parsed, Sender
from foregate.telemetry.formats.options import Options
from foregate.telemetry.formats.reading import Signal, read
from foregate.telemetry.formats.remote_write import _write_request

NOW_S = 1_800_000_000.0
T0_NS = 1_790_000_000_000_000_000
SENDER = Sender("acme", NOW_S, "production", "eu-1", "aws")
RESOURCE = {
    "service.name": "payments",
    "service.namespace": "shop",
    "deployment.environment.name": "staging",
    "cloud.region": "us-2",
    "host.name": "h1",
    "service.version": "1.2",
}


def item(number: int, **more: Any) -> dict[str, Any]:
    """A request as people write it."""
    said = {"time": NOW_S - 600 + number, "service": "payments", "route": "/users/{id}", "method": "GET"}
    said |= {"status": 200, "latency_ms": 12.5, "request_id": f"r-{number}", "trace_id": f"{number + 1:032x}"}
    return said | more


def as_json(items: list[Any]) -> bytes:
    return json.dumps(items).encode()


def as_lines(items: list[Any]) -> bytes:
    return b"\n".join(json.dumps(one).encode() for one in items)


def as_msgpack(items: list[Any]) -> bytes:
    return msgspec.msgpack.encode(items)


def took(signal: Signal, content_type: str, body: bytes, options: Options | None = None) -> Parsed:
    return read(signal, content_type, body, SENDER, options=options or Options())


def attributes(of: Any, said: dict[str, Any]) -> None:
    for name, value in said.items():
        pair = of.attributes.add(key=name)
        kind = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}[type(value)]
        setattr(pair.value, kind, value)


def traces(count: int, seed: int = 7) -> ExportTraceServiceRequest:
    """Spans, every other of a server, of two resources."""
    rng = random.Random(seed)
    request = ExportTraceServiceRequest()
    for part in range(2):
        resource = request.resource_spans.add()
        attributes(resource.resource, RESOURCE | {"host.name": f"h{part}"})
        scope = resource.scope_spans.add()
        for number in range(part * count // 2, (part + 1) * count // 2):
            span = scope.spans.add(trace_id=rng.randbytes(16), span_id=(number + 1).to_bytes(8, "big"))
            span.name, span.kind = "GET /users/{id}", 2 + number % 2
            span.start_time_unix_nano, span.end_time_unix_nano = T0_NS, T0_NS + 12_500_000
            attributes(span, {"http.request.method": "GET", "http.response.status_code": 200})
            attributes(span, {"http.route": "/users/{id}", "url.path": f"/users/{number}", "server.address": "api"})
    return request


def metrics(count: int) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    attributes(resource.resource, RESOURCE)
    scope = resource.scope_metrics.add()
    for number in range(count):
        metric = scope.metrics.add(name=f"m{number}", unit="ms")
        metric.gauge.data_points.add(time_unix_nano=T0_NS, as_double=number + 0.5)
    return request


def logs(count: int) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    attributes(resource.resource, RESOURCE)
    scope = resource.scope_logs.add()
    for number in range(count):
        record = scope.log_records.add(time_unix_nano=T0_NS + number, severity_number=9)
        record.body.string_value = f"line {number}"
    return request


def samples(count: int) -> Any:
    """A WriteRequest."""
    request = _write_request()()
    for number in range(count):
        series = request.timeseries.add()
        for name, value in (("__name__", "up"), ("job", "api"), ("instance", f"h{number}"), ("code", "200")):
            series.labels.add(name=name, value=value)
        series.samples.add(value=number, timestamp=T0_NS // 1_000_000)
    return request


def as_otlp_json(request: Any, *, snake: bool = False) -> bytes:
    """As OTLP writes JSON: ids in hexadecimal, other than protobuf's own JSON."""
    return json.dumps(_hexadecimal(MessageToDict(request, preserving_proto_field_name=snake))).encode()


def _hexadecimal(document: Any) -> Any:
    if isinstance(document, list):
        return [_hexadecimal(one) for one in document]
    if not isinstance(document, dict):
        return document
    return {
        name: base64.b64decode(value).hex()
        if name.replace("_", "").lower() in ("traceid", "spanid", "parentspanid")
        else _hexadecimal(value)
        for name, value in document.items()
    }
