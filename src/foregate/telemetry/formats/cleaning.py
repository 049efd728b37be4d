"""The thorough way from an object with names to an `Item`: other names, other units, text for numbers, long texts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, get_args

import msgspec

from foregate.telemetry.formats.items import (
    BYTES_MAX,
    DURATION_MS_MAX,
    LONG_CHARS_MAX,
    TEXT_CHARS_MAX,
    Ai,
    Item,
    Unreadable,
)
from foregate.wire.event import BreakerOutcome, CacheOutcome, LimitOutcome, Protocol

# Field → its names, the first that an item has holds. docs/reference/telemetry-formats.md is the table for people.
ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "time": ("time", "timestamp", "@timestamp", "ts", "time_s", "time_ms", "datetime"),
    "service": ("service", "service.name", "service_name", "api", "app"),
    "route": ("route", "http.route", "endpoint", "route_template"),
    "path": ("path", "url.path", "http.target", "request_path", "uri", "url", "request_uri"),
    "method": ("method", "http.request.method", "http.method", "http_method", "request_method", "verb"),
    "status": (
        "status",
        "status_code",
        "http.response.status_code",
        "http.status_code",
        "http_status",
        "response_code",
    ),
    "latency_ms": ("latency_ms", "duration_ms", "elapsed_ms", "response_time_ms", "request_time_ms", "took_ms"),
    "upstream_ms": ("upstream_ms", "upstream_latency_ms", "upstream_response_time_ms", "backend_ms"),
    "first_byte_ms": ("first_byte_ms", "ttfb_ms", "time_to_first_byte_ms"),
    "waited_ms": ("waited_ms", "wait_ms", "queue_ms", "queue_time_ms"),
    "request_bytes": ("request_bytes", "http.request.body.size", "bytes_in", "request_size", "request_length"),
    "response_bytes": ("response_bytes", "http.response.body.size", "bytes_out", "response_size", "body_bytes_sent"),
    "key_id": ("key_id", "api_key_id", "consumer", "consumer_id", "client_id"),
    "environment": ("environment", "env", "deployment.environment.name", "deployment.environment"),
    "request_id": ("request_id", "requestId", "x_request_id", "x-request-id", "correlation_id"),
    "trace_id": ("trace_id", "traceId", "trace.id"),
    "span_id": ("span_id", "spanId", "span.id"),
    "parent_span_id": ("parent_span_id", "parentSpanId", "parent_id"),
    "error": ("error", "error.type", "error_type", "error_code"),
    "attempts": ("attempts", "tries"),
    "inflight": ("inflight", "in_flight"),
    "target": ("target", "upstream", "upstream_addr", "backend"),
    "client": ("client", "client.address", "client_ip", "remote_addr", "ip", "http.client_ip"),
    "host": ("host", "server.address", "http.host", "hostname", "domain"),
    "region": ("region", "cloud.region"),
    "cloud": ("cloud", "cloud.provider", "cloud_provider"),
    "instance": ("instance", "service.instance.id", "host.name", "k8s.pod.name", "pod", "node"),
    "limit": ("limit",),
    "breaker": ("breaker",),
    "cache": ("cache", "cache_status"),
    "protocol": ("protocol",),
    "ai": ("ai",),
}
IN_SECONDS: Final[dict[str, str]] = {
    "latency_s": "latency_ms",
    "duration_s": "latency_ms",
    "duration_seconds": "latency_ms",
    "request_time": "latency_ms",  # as nginx writes it
    "upstream_s": "upstream_ms",
    "upstream_response_time": "upstream_ms",
}
KNOWN: Final = {name: (field, rank) for field, names in ALIASES.items() for rank, name in enumerate(names)}
SCALED: Final = {name: (field, len(ALIASES[field])) for name, field in IN_SECONDS.items()}

_PATH_CHARS_MAX = 2_048  # of a path with its query, before the event's own bound
_NAMES_MAX = 256  # looked at, of one item; the rest is ignored


def cleaned(document: object) -> Item:
    """Raises Unreadable with the reason. Names that are not known are ignored, and so are values of null."""
    if not isinstance(document, dict):
        raise Unreadable("An item must be an object.")
    best: dict[str, tuple[int, Any]] = {}
    for count, (name, value) in enumerate(document.items()):
        if count >= _NAMES_MAX:
            break
        found = KNOWN.get(name) or SCALED.get(name) if isinstance(name, str) else None
        if found is None or value is None:
            continue
        field, rank = found
        if field not in best or rank < best[field][0]:
            best[field] = rank, _in_milliseconds(field, value) if name in IN_SECONDS else value
    for field in ("service", "status", "latency_ms"):
        if field not in best:
            raise Unreadable(f"{field} is missing.")
    return Item(**{field: _FIELDS[field](field, value) for field, (_, value) in best.items()})


def _in_milliseconds(field: str, value: Any) -> float:
    return _number(field, value, DURATION_MS_MAX / 1_000.0) * 1_000.0


def text(value: Any, chars_max: int = TEXT_CHARS_MAX) -> str:
    """As text of bounded length, without NUL, which not every store can keep."""
    if not isinstance(value, str):
        if isinstance(value, bool) or not isinstance(value, int | float):
            return ""
        value = str(value) if not isinstance(value, int) or abs(value) < 1 << 128 else ""
    cut: str = value[:chars_max].replace("\0", "\ufffd")
    return cut if cut.isprintable() else cut.encode("utf-8", "replace").decode()  # half a surrogate pair is no text


def _number(field: str, value: Any, most: float, least: float = 0.0) -> float:
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise Unreadable(f"{field} is no number.")
    if not least <= number <= most:
        raise Unreadable(f"{field} is not between {least:g} and {most:g}.")
    return number


def _time(field: str, value: Any) -> float | datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        try:
            return msgspec.convert(value.strip(), datetime)
        except (msgspec.ValidationError, ValueError):
            pass
    try:
        return _number(field, value, math.inf, -math.inf)
    except Unreadable:
        raise Unreadable("time is neither a date of RFC 3339 nor a number.") from None


def _service(field: str, value: Any) -> str:
    name = text(value)
    if not name:
        raise Unreadable("service is empty.")
    return name


def _status(field: str, value: Any) -> int:
    status = _number(field, value, 599, 100)
    return int(status)


def _error(field: str, value: Any) -> str:
    if isinstance(value, bool):
        return "error" if value else ""
    if isinstance(value, dict):
        value = value.get("type") or value.get("code") or value.get("message") or "error"
    return text(value)


def _ai(field: str, value: Any) -> Ai | None:
    try:
        return msgspec.convert(value, Ai, strict=False)
    except (msgspec.ValidationError, ValueError):
        return None


def _one_of(choices: Any) -> Callable[[str, Any], Any]:
    known = get_args(choices)

    def choose(field: str, value: Any) -> Any:
        value = str(value).lower()[:32]
        return value if value in known else known[0]

    return choose


_FIELDS: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    **dict.fromkeys(ALIASES, lambda field, value: text(value)),
    **dict.fromkeys(("route", "target", "host"), lambda field, value: text(value, LONG_CHARS_MAX)),
    **dict.fromkeys(
        ("latency_ms", "upstream_ms", "first_byte_ms", "waited_ms"),
        lambda field, value: _number(field, value, DURATION_MS_MAX),
    ),
    **dict.fromkeys(("request_bytes", "response_bytes"), lambda field, value: int(_number(field, value, BYTES_MAX))),
    "attempts": lambda field, value: int(_number(field, value, 1_000)),
    "inflight": lambda field, value: int(_number(field, value, 1_000_000)),
    "method": lambda field, value: text(value, 32),
    "time": _time,
    "service": _service,
    "status": _status,
    "path": lambda field, value: text(value, _PATH_CHARS_MAX),
    "error": _error,
    "ai": _ai,
    "limit": _one_of(LimitOutcome),
    "breaker": _one_of(BreakerOutcome),
    "cache": _one_of(CacheOutcome),
    "protocol": _one_of(Protocol),
}
