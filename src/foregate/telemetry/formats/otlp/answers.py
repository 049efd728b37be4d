"""What an OTLP exporter is told (OTLP specification, "Partial Success" and "Failures"), in the encoding that it speaks.

ExportTraceServiceResponse, ExportMetricsServiceResponse and ExportLogsServiceResponse have the same field numbers.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from foregate.telemetry.formats.parsed import Parsed
from foregate.wire.accounts import Kind

OtlpSignal = Literal["traces", "metrics", "logs"]
KIND_OF: Final[dict[OtlpSignal, Kind]] = {"traces": "spans", "metrics": "points", "logs": "logs"}
_REJECTED: Final = {"traces": "rejectedSpans", "metrics": "rejectedDataPoints", "logs": "rejectedLogRecords"}
_REASONS_MAX: Final = 5  # told in words
_RETRY_INFO: Final = b"type.googleapis.com/google.rpc.RetryInfo"


def exported(signal: OtlpSignal, parsed: Parsed, *, json: bool) -> bytes:
    """Of a request that was taken: empty of what was taken whole, else how many items were rejected, and why."""
    rejected = parsed.invalid.get(KIND_OF[signal], 0)
    if not rejected:
        return b"{}" if json else b""
    message = reasons(parsed)
    if json:
        return msgspec.json.encode({"partialSuccess": {_REJECTED[signal]: str(rejected), "errorMessage": message}})
    return _bytes(1, _number(1, rejected) + _bytes(2, message.encode()))


def reasons(parsed: Parsed) -> str:
    """The first of them as a sentence for people: "item 7: Its trace id …"."""
    said = [f"item {one.index}: {one.reason}" for one in parsed.rejected[:_REASONS_MAX]]
    more = sum(parsed.invalid.values()) - len(said)
    return " ".join(said) + (f" And {more} more." if more > 0 else "")


def failed(code: int, message: str, *, json: bool, retry_after_s: float | None = None) -> bytes:
    """A google.rpc.Status: the body of a failed OTLP/HTTP request, and `grpc-status-details-bin` (unencoded) of gRPC.

    `code`: of gRPC. `retry_after_s`: adds the RetryInfo that makes an exporter come again, and not earlier.
    """
    if json:
        said: dict[str, Any] = {"code": code, "message": message}
        if retry_after_s is not None:
            info = {"@type": _RETRY_INFO.decode(), "retryDelay": f"{retry_after_s:.3f}s"}
            said["details"] = [info]
        return msgspec.json.encode(said)
    body = _number(1, code) + _bytes(2, message.encode())
    if retry_after_s is not None:
        nanos = round(retry_after_s * 1e9)
        delay = _number(1, nanos // 1_000_000_000) + _number(2, nanos % 1_000_000_000)
        body += _bytes(3, _bytes(1, _RETRY_INFO) + _bytes(2, _bytes(1, delay)))
    return body


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value) if value else b""


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value
