"""A log record, from wherever it was sent (OpenTelemetry's model, flattened)."""

import msgspec

from foregate.wire.event import Source


class LogRecord(msgspec.Struct, array_like=True, frozen=True):
    """`time_ns`: Unix nanoseconds. `severity`: 1 to 24 as in OpenTelemetry (9 info, 13 warning, 17 error), or 0."""

    org: str
    environment: str
    service: str
    time_ns: int
    severity: int
    body: str
    trace_id: str = ""
    span_id: str = ""
    request_id: str = ""
    key_id: str = ""
    region: str = ""
    cloud: str = ""
    instance: str = ""
    source: Source = "otlp"
    attributes: dict[str, str] = {}


_encoder = msgspec.msgpack.Encoder()
encode_logs = _encoder.encode
decode_logs = msgspec.msgpack.Decoder(list[LogRecord]).decode
