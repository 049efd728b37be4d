"""Kong's log serializer (file-log, http-log, tcp-log): one JSON object a line."""

from collections.abc import Mapping
from typing import Any

import msgspec

from foregate.telemetry.formats.logs.entry import Entry, Unreadable, number_of, path_of, status_of
from foregate.telemetry.formats.logs.times import of_any
from foregate.wire.event import UNMEASURED_MS


class Kong:
    """`started_at` is milliseconds; `latencies.request` from the first byte in to the last byte out."""

    def read(self, line: str) -> Entry | None:
        if not line.strip():
            return None
        try:
            given = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unreadable(f"not JSON: {error}") from None
        if not isinstance(given, dict) or "started_at" not in given:
            raise Unreadable("not a line of Kong: it has no started_at")
        request, response = _object(given, "request"), _object(given, "response")
        latencies, headers = _object(given, "latencies"), _object(request, "headers")
        latency_ms = _ms(latencies.get("request"))
        return Entry(
            of_any(given["started_at"]) + max(0.0, latency_ms) / 1000.0,
            str(request.get("method", "")).upper(),
            path_of(str(request.get("uri") or request.get("url") or "/")),
            status_of(str(response.get("status", ""))),
            latency_ms,
            max(0.0, _ms(latencies.get("proxy"))),
            number_of(str(request.get("size") or 0), "request.size"),
            number_of(str(response.get("size") or 0), "response.size"),
            client=str(given.get("client_ip", "")),
            host=str(headers.get("host", "")),
            service=_name(_object(given, "service")),
            route=_name(_object(given, "route")),
            key_id=str(_object(given, "consumer").get("username") or _object(given, "consumer").get("id") or ""),
            request_id=str(request.get("id") or ""),
            trace_id=str(_object(given, "trace_id").get("w3c") or ""),
        )


def _object(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = given.get(name)
    return value if isinstance(value, dict) else {}


def _name(of: Mapping[str, Any]) -> str:
    return str(of.get("name") or of.get("id") or "")


def _ms(value: Any) -> float:
    """Kong writes -1 for what there was not."""
    return float(value) if isinstance(value, int | float) and value >= 0 else UNMEASURED_MS
