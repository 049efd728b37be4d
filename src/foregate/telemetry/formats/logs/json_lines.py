"""JSON logs: one object a line, with nginx's, Caddy's, Envoy's, Traefik's or one's own names.

There is no standard, so every field is looked for under the names that the products document; `fields` adds one's own
(ours → theirs). Kong's nested objects are read by `kong`.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from foregate.telemetry.formats.logs.entry import Entry, Unreadable, number_of, path_of, status_of
from foregate.telemetry.formats.logs.times import of_any
from foregate.wire.event import UNMEASURED_MS

# Ours → theirs, the first that is there counts. A dot goes into an object.
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "time": ("time", "timestamp", "@timestamp", "ts", "time_iso8601", "msec", "time_local", "StartUTC", "start_time"),
    "method": ("method", "request_method", "http_method", "RequestMethod", "request.method", "verb"),
    "path": (
        "path", "uri", "request_uri", "url", "RequestPath", "request.uri", ":path", "x_envoy_original_path", "target",
    ),
    "request": ("request", "request_line"),
    "status": ("status", "status_code", "response_code", "DownstreamStatus", "response.status", "http_status"),
    "latency_ms": ("latency_ms", "duration_ms", "elapsed_ms", "response_time_ms"),
    "latency_s": ("request_time", "latency_s", "duration_s", "request_duration"),
    "duration": ("duration", "latency", "Duration"),
    "upstream_s": ("upstream_response_time", "upstream_time"),
    "upstream_ms": ("upstream_ms", "x_envoy_upstream_service_time", "upstream_service_time", "OriginDuration"),
    "request_bytes": ("request_bytes", "request_length", "bytes_received", "bytes_read", "RequestContentSize"),
    "response_bytes": (
        "response_bytes", "body_bytes_sent", "bytes_sent", "size", "DownstreamContentSize", "bytes", "response_size",
    ),
    "client": (
        "client", "remote_addr", "client_ip", "remote_ip", "request.remote_ip", "request.client_ip", "ClientHost",
        "downstream_remote_address", "x_forwarded_for",
    ),
    "host": ("host", "http_host", "server_name", "authority", "request.host", "RequestHost", ":authority", "vhost"),
    "protocol": ("protocol", "server_protocol", "request.proto", "RequestProtocol"),
    "service": ("service", "service_name", "upstream_cluster", "ServiceName", "proxy_upstream_name", "app"),
    "route": ("route", "route_name", "http_route", "RouterName"),
    "key_id": ("key_id", "consumer", "api_key_id"),
    "request_id": ("request_id", "x_request_id", "req_id", "RequestID", "correlation_id"),
    "trace_id": ("trace_id", "traceid", "traceId", "otel_trace_id", "TraceId"),
    "span_id": ("span_id", "spanid", "spanId", "SpanId"),
    "target": ("upstream_addr", "upstream_host", "ServiceAddr", "upstream"),
}  # fmt: skip
_MISSING: Final = object()
_NANOSECONDS = 1e-6  # in milliseconds: Traefik's Duration


class JsonLines:
    """`fields`: ours → theirs, before the names known here. `duration` without a unit is read by `duration_unit_ms`:
    how many milliseconds one of it is (Envoy writes milliseconds: 1; Caddy seconds: 1000)."""

    def __init__(self, fields: Mapping[str, str] | None = None, duration_unit_ms: float | None = None) -> None:
        own = fields or {}
        if unknown := sorted(own.keys() - NAMES.keys()):
            raise ValueError(f"there is no field {unknown[0]}: known are {', '.join(NAMES)}")
        self._names = {name: ((own[name],) if name in own else ()) + names for name, names in NAMES.items()}
        self._duration_unit_ms = duration_unit_ms

    def read(self, line: str) -> Entry | None:
        if not line.strip():
            return None
        try:
            given = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unreadable(f"not JSON: {error}") from None
        if not isinstance(given, dict):
            raise Unreadable("not a JSON object")
        return self.entry(given)

    def entry(self, given: Mapping[str, Any]) -> Entry:
        """Raises Unreadable."""
        method, path = self._what(given)
        time = self._find(given, "time")
        if time is None:
            raise Unreadable(f"no time (looked for {', '.join(self._names['time'][:4])}, …)")
        status = self._find(given, "status")
        if status is None:
            raise Unreadable(f"no status (looked for {', '.join(self._names['status'][:4])}, …)")
        return Entry(
            of_any(time),
            method,
            path_of(path),
            status_of(_text(status)),
            self._latency_ms(given),
            self._upstream_ms(given),
            number_of(self._text(given, "request_bytes"), "request_bytes"),
            number_of(self._text(given, "response_bytes"), "response_bytes"),
            self._text(given, "client").partition(",")[0],
            self._text(given, "host"),
            self._text(given, "protocol").lower(),
            self._text(given, "service"),
            self._text(given, "route"),
            self._text(given, "key_id"),
            self._text(given, "request_id"),
            self._text(given, "trace_id"),
            self._text(given, "span_id"),
            target=self._text(given, "target"),
        )

    def _what(self, given: Mapping[str, Any]) -> tuple[str, str]:
        method, path = self._text(given, "method"), self._text(given, "path")
        if path and method:
            return method.upper(), path
        line = self._find(given, "request")
        words = line.split(" ") if isinstance(line, str) else []
        if len(words) >= 2:
            return method.upper() or words[0].upper(), path or words[1]
        if path:
            return "", path
        raise Unreadable(f"no path (looked for {', '.join(self._names['path'][:4])}, …)")

    def _latency_ms(self, given: Mapping[str, Any]) -> float:
        for name, unit_ms in (("latency_ms", 1.0), ("latency_s", 1000.0)):
            value = self._find(given, name)
            if value is not None:
                return _duration(value, unit_ms, name)
        value = self._find(given, "duration")
        if value is None:
            return UNMEASURED_MS
        if self._duration_unit_ms is None and isinstance(value, str) and value[-1:].isalpha():
            return _with_unit(value)
        unit_ms = self._duration_unit_ms or (
            _NANOSECONDS if "Duration" in given else 1000.0 if _is_caddy(given) else 1.0
        )
        return _duration(value, unit_ms, "duration")

    def _upstream_ms(self, given: Mapping[str, Any]) -> float:
        for name, unit_ms in (("upstream_ms", 1.0), ("upstream_s", 1000.0)):
            value = self._find(given, name)
            if value is not None:
                unit_ms = _NANOSECONDS if "OriginDuration" in given else unit_ms
                return max(0.0, _duration(value, unit_ms, name))
        return 0.0

    def _find(self, given: Mapping[str, Any], name: str) -> Any:
        """The first value that is there, None without one. "-" is how logs write that there was none."""
        for theirs in self._names[name]:
            value = given.get(theirs, _MISSING)
            if value is _MISSING and "." in theirs:
                outer, _, inner = theirs.partition(".")
                nested = given.get(outer)
                value = nested.get(inner, _MISSING) if isinstance(nested, dict) else _MISSING
            if value is not _MISSING and value is not None and value not in ("-", "") and not isinstance(value, dict):
                return value
        return None

    def _text(self, given: Mapping[str, Any], name: str) -> str:
        value = self._find(given, name)
        return "" if value is None else _text(value)


def _text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else str(value)


def _duration(value: Any, unit_ms: float, name: str) -> float:
    """Of several attempts ("0.1, 0.2") the sum."""
    total = 0.0
    for part in str(value).replace(":", ",").split(","):
        if part.strip() in ("", "-"):
            continue
        try:
            total += float(part)
        except ValueError:
            raise Unreadable(f"{name} is {value!r}, not a number") from None
    if not 0.0 <= total < 1e15:
        raise Unreadable(f"{name} is {value!r}")
    return total * unit_ms


_UNITS_MS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


def _with_unit(value: str) -> float:
    number = value.rstrip("abcdefghijklmnopqrstuvwxyzµ")
    unit_ms = _UNITS_MS.get(value[len(number) :])
    if unit_ms is None:
        raise Unreadable(f"duration is {value!r}, whose unit is not known")
    return _duration(number, unit_ms, "duration")


def _is_caddy(given: Mapping[str, Any]) -> bool:
    return "logger" in given and isinstance(given.get("request"), dict)
