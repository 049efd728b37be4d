"""Which address takes what, and in whose words it answers."""

from typing import Literal, NamedTuple

from foregate.telemetry.formats.reading import Signal
from foregate.wire.event import Source

Dialect = Literal["telemetry", "otlp", "grpc", "remote_write"]


class Endpoint(NamedTuple):
    """What a body that is posted there holds, who has said it then, and how it is answered."""

    signal: Signal
    dialect: Dialect
    source: Source


_TRACES = Endpoint("traces", "otlp", "otlp")
_METRICS = Endpoint("metrics", "otlp", "otlp")
_LOGS = Endpoint("logs", "otlp", "otlp")
_GRPC = b"/opentelemetry.proto.collector."

ENDPOINTS: dict[bytes, Endpoint] = {
    b"/v1/telemetry": Endpoint("telemetry", "telemetry", "telemetry"),
    b"/v1/traces": _TRACES,
    b"/v1/metrics": _METRICS,
    b"/v1/logs": _LOGS,
    b"/api/v1/write": Endpoint("remote_write", "remote_write", "telemetry"),
    _GRPC + b"trace.v1.TraceService/Export": _TRACES._replace(dialect="grpc"),
    _GRPC + b"metrics.v1.MetricsService/Export": _METRICS._replace(dialect="grpc"),
    _GRPC + b"logs.v1.LogsService/Export": _LOGS._replace(dialect="grpc"),
}
HEALTH_PATHS = (b"/health/ready", b"/health/live", b"/metrics")
