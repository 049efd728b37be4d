"""Points as OTLP in JSON (opentelemetry-proto, ExportMetricsServiceRequest). Gauges and UpDownCounters alone."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from foregate.wire.point import Point

_CUMULATIVE: Final = 2


def export_request(points: Iterable[Point]) -> bytes:
    """The body of a post to /v1/metrics: each process is a resource, each point a metric of its own."""
    metrics: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for point in points:
        metrics.setdefault((point.service, point.instance), []).append(_metric(point))
    return msgspec.json.encode({"resourceMetrics": [_resource(*who, each) for who, each in metrics.items()]})


def _resource(service: str, instance: str, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "resource": {"attributes": _attributes({"service.name": service, "service.instance.id": instance})},
        "scopeMetrics": [{"scope": {"name": "foregate.lab"}, "metrics": metrics}],
    }


def _metric(point: Point) -> dict[str, Any]:
    said = {"timeUnixNano": str(round(point.time_s * 1e9)), "attributes": _attributes(point.attributes)}
    if point.kind == "sum":
        points = [{**said, "asInt": str(round(point.value))}]  # 64 bits are text in the JSON of protobuf
        data = {"aggregationTemporality": _CUMULATIVE, "isMonotonic": False, "dataPoints": points}
        return {"name": point.name, "unit": point.unit, "sum": data}
    return {"name": point.name, "unit": point.unit, "gauge": {"dataPoints": [{**said, "asDouble": point.value}]}}


def _attributes(attributes: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
