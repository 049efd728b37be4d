"""The way out: our messages as export requests of OTLP in protobuf, by the names of the semantic conventions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from foregate.telemetry.identity.conventions import SPAN, ai_attributes, first, resource_attributes
from foregate.wire.event import RequestEvent
from foregate.wire.log import LogRecord
from foregate.wire.point import Point
from foregate.wire.span import Span

_KINDS: Final = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_STATUSES: Final = {"unset": 0, "ok": 1, "error": 2}
_DELTA, _CUMULATIVE = 1, 2
_SCOPE: Final = "foregate"
_Message = TypeVar("_Message", Span, LogRecord, Point, RequestEvent)
_S_NS: Final = 1_000_000_000


def write_spans(spans: Iterable[Span]) -> bytes:
    """An ExportTraceServiceRequest."""
    request = ExportTraceServiceRequest()
    for resource, scope in _scopes(spans, request.resource_spans.add, "scope_spans"):
        for span in resource:
            _span(scope.spans.add(), span)
    return bytes(request.SerializeToString())


def write_events(events: Iterable[RequestEvent]) -> bytes:
    """The same of requests: each is a span of its server. Those without ids of a trace are left out."""
    request = ExportTraceServiceRequest()
    traced = (event for event in events if event.trace_id and event.span_id)
    for resource, scope in _scopes(traced, request.resource_spans.add, "scope_spans"):
        for event in resource:
            _request(scope.spans.add(), event)
    return bytes(request.SerializeToString())


def write_logs(records: Iterable[LogRecord]) -> bytes:
    """An ExportLogsServiceRequest."""
    request = ExportLogsServiceRequest()
    for resource, scope in _scopes(records, request.resource_logs.add, "scope_logs"):
        for record in resource:
            out = scope.log_records.add(time_unix_nano=record.time_ns, severity_number=record.severity)
            out.body.string_value = record.body
            out.trace_id, out.span_id = bytes.fromhex(record.trace_id), bytes.fromhex(record.span_id)
            said = {SPAN["request_id"][0]: record.request_id, SPAN["key_id"][0]: record.key_id}
            _attributes(out, record.attributes | {name: value for name, value in said.items() if value})
    return bytes(request.SerializeToString())


def write_points(points: Iterable[Point]) -> bytes:
    """An ExportMetricsServiceRequest."""
    request = ExportMetricsServiceRequest()
    for resource, scope in _scopes(points, request.resource_metrics.add, "scope_metrics"):
        for point in resource:
            _point(scope.metrics.add(name=point.name, unit=point.unit), point)
    return bytes(request.SerializeToString())


def _scopes(items: Iterable[_Message], add: Callable[[], Any], scopes: str) -> Iterable[tuple[list[_Message], Any]]:
    """The items of each resource, and the scope they belong in."""
    of: dict[tuple[str, str, str, str, str], list[_Message]] = {}
    for item in items:
        of.setdefault((item.service, item.environment, item.region, item.cloud, item.instance), []).append(item)
    for resource, group in of.items():
        added = add()
        _attributes(added.resource, resource_attributes(*resource))
        scope = getattr(added, scopes).add()
        scope.scope.name = _SCOPE
        yield group, scope


def _attributes(out: Any, attributes: Mapping[str, str | int]) -> None:
    for name, value in attributes.items():
        pair = out.attributes.add(key=name)
        if isinstance(value, int):
            pair.value.int_value = value
        else:
            pair.value.string_value = value


def _span(out: Any, span: Span) -> None:
    out.trace_id, out.span_id = bytes.fromhex(span.trace_id), bytes.fromhex(span.span_id)
    out.parent_span_id = bytes.fromhex(span.parent_id)
    out.name, out.kind = span.name, _KINDS[span.kind]
    out.start_time_unix_nano, out.end_time_unix_nano = span.start_ns, span.end_ns
    out.status.code, out.status.message = _STATUSES[span.status], span.message
    said: dict[str, str | int] = {
        "method": span.method,
        "http_status": span.http_status,
        "route": span.route,
        "peer": span.peer,
    }
    missing = {
        SPAN[field][0]: value for field, value in said.items() if value and not first(span.attributes, SPAN[field])
    }
    _attributes(out, missing | dict(span.attributes))
    for trace_id in span.links:
        out.links.add(trace_id=bytes.fromhex(trace_id))


def _request(out: Any, event: RequestEvent) -> None:
    out.trace_id, out.span_id = bytes.fromhex(event.trace_id), bytes.fromhex(event.span_id)
    out.parent_span_id = bytes.fromhex(event.parent_span_id)
    out.name, out.kind = f"{event.method} {event.route}".strip(), _KINDS["server"]
    out.end_time_unix_nano = round(event.time_s * _S_NS)
    out.start_time_unix_nano = out.end_time_unix_nano - round(max(0.0, event.latency_ms) * 1e6)
    if event.failed:
        out.status.code = _STATUSES["error"]
    said: dict[str, str | int] = {
        "method": event.method,
        "http_status": event.status,
        "route": event.route,
        "path": event.path,
        "host": event.host,
        "client": event.client,
        "error": event.error,
        "request_bytes": event.request_bytes,
        "response_bytes": event.response_bytes,
        "request_id": event.request_id,
        "key_id": event.key_id,
    }
    attributes = {SPAN[field][0]: value for field, value in said.items() if value}
    _attributes(out, attributes | (ai_attributes(event.ai) if event.ai else {}))


def _point(metric: Any, point: Point) -> None:
    """A metric of one point."""
    said: dict[str, Any] = {"time_unix_nano": round(point.time_s * _S_NS)}
    said["start_time_unix_nano"] = round(point.start_s * _S_NS)
    if point.kind in ("gauge", "sum"):
        out = getattr(metric, point.kind).data_points.add(as_double=point.value, **said)
    elif point.kind == "histogram":
        said |= {"explicit_bounds": point.bounds, "bucket_counts": point.buckets}
        out = metric.histogram.data_points.add(sum=point.value, count=point.count, **said)
    else:
        out = metric.summary.data_points.add(sum=point.value, count=point.count, **said)
        for quantile, value in zip(point.bounds, point.values, strict=True):
            out.quantile_values.add(quantile=quantile, value=value)
    if point.kind in ("sum", "histogram"):
        getattr(metric, point.kind).aggregation_temporality = _DELTA if point.delta else _CUMULATIVE
    if point.kind == "sum":
        metric.sum.is_monotonic = point.monotonic
    _attributes(out, point.attributes)
