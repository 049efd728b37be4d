"""The same spans for us and, where it is installed, for an OpenTelemetry collector that writes them to a file."""

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench import process

PATH = "/v1/traces"
KIND = "application/x-protobuf"


def requests(count: int, spans: int) -> list[bytes]:
    """Export requests as a collector sends them: one service each, HTTP servers' spans with the usual attributes."""
    return [_request(random.Random(seed), spans) for seed in range(count)]


def _request(chance: random.Random, spans: int) -> bytes:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    for name, value in (("service.name", "orders"), ("deployment.environment.name", "production")):
        resource.resource.attributes.add(key=name).value.string_value = value
    scope = resource.scope_spans.add()
    now_ns = time.time_ns()
    for _ in range(spans):
        span = scope.spans.add(
            trace_id=chance.randbytes(16),
            span_id=chance.randbytes(8),
            parent_span_id=chance.randbytes(8),
            name="GET /orders/{id}",
            kind=2,
            start_time_unix_nano=now_ns,
            end_time_unix_nano=now_ns + chance.randrange(1_000_000, 50_000_000),
        )
        for name, text in (
            ("http.request.method", "GET"),
            ("http.route", "/orders/{id}"),
            ("url.path", f"/orders/{chance.randrange(10**6)}"),
        ):
            span.attributes.add(key=name).value.string_value = text
        span.attributes.add(key="http.response.status_code").value.int_value = 200
    return request.SerializeToString()


@contextmanager
def collector(folder: Path) -> Iterator[tuple[process.Running, int]]:
    """`otelcol`, its OTLP receiver and its file exporter. Raises process.Missing, or RuntimeError with its words."""
    program = process.tool("otelcol", "otelcol-contrib")
    port = process.free_port()
    config = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "exporters": {"file": {"path": str(folder / "spans.json")}},
        "service": {
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["file"]}},
            "telemetry": {"metrics": {"level": "none"}},
        },
    }
    file = folder / "otelcol.json"
    file.write_text(json.dumps(config))
    running = process.start("otelcol", (program, f"--config={file}"), port, folder)
    try:
        yield running, port
    finally:
        running.stop()
