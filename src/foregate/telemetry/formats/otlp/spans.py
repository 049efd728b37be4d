"""Spans of OTLP → `wire.span.Span`; those of served requests → `RequestEvent`, too."""

from __future__ import annotations

from typing import Any, Final

from foregate.telemetry.formats.items import (
    BYTES_MAX,
    DURATION_MS_MAX,
    LONG_CHARS_MAX,
    TEXT_CHARS_MAX,
    TIME_S_MIN,
    UNKNOWN_ROUTE,
    id_of,
    plain_path,
    timed_out,
)
from foregate.telemetry.formats.options import Options
from foregate.telemetry.formats.otlp.values import VALUE_CHARS_MAX, attributes_of, bounded
from foregate.telemetry.formats.parsed import Parsed, Sender
from foregate.telemetry.identity.conventions import SPAN, Origin, ai_usage, first, http_status, whole
from foregate.wire.event import EVENT_PATH_BYTES_MAX, RequestEvent, Source
from foregate.wire.span import Span, SpanKind, SpanStatus

LINKS_MAX: Final = 8
_KIND_NAMES: Final[tuple[SpanKind, ...]] = ("internal", "internal", "server", "client", "producer", "consumer")
_KINDS: Final[dict[int | str, SpanKind]] = {
    **dict(enumerate(_KIND_NAMES)),
    **{f"SPAN_KIND_{name.upper()}": name for name in _KIND_NAMES},
}
_STATUSES: Final[dict[int | str, SpanStatus]] = {
    1: "ok",
    "STATUS_CODE_OK": "ok",
    2: "error",
    "STATUS_CODE_ERROR": "error",
}
_SERVING, _ASKING = ("server", "consumer"), ("client", "producer")
_CLOCK: Final = "foregate.clock"  # an attribute of ours: what was wrong with the times of this span
_S_NS: Final = 1_000_000_000


class SpanReader:
    """One body's spans, to `into`. `index` counts them, good or not."""

    def __init__(self, sender: Sender, options: Options, into: Parsed) -> None:
        self._sender = sender
        self._options = options
        self._into = into
        self._source: Source = "otlp" if sender.source == "telemetry" else sender.source
        self._earliest_ns = int(TIME_S_MIN) * _S_NS
        self._latest_ns = int((sender.received_s + options.ahead_s_max) * _S_NS)
        self.index = 0

    def refuse(self, reason: str) -> None:
        self._into.reject("spans", self.index, reason)
        self.index += 1

    def take(self, origin: Origin, said: Any) -> None:
        """`said`: a Span of protobuf or of JSON."""
        trace_id, span_id = id_of(said.trace_id, 32), id_of(said.span_id, 16)
        start_ns, end_ns = said.start_time_unix_nano, said.end_time_unix_nano
        if not trace_id or not span_id:
            self.refuse("Its trace id must have 16 bytes and its span id 8, not all zero.")
            return
        if not self._earliest_ns <= start_ns <= self._latest_ns:
            self.refuse("Its start lies before the year 2000." if start_ns < self._earliest_ns else "It lies ahead.")
            return
        attributes = attributes_of(said.attributes)
        if origin.kept:
            attributes = {**origin.kept, **attributes}
        if end_ns < start_ns or end_ns > self._latest_ns:
            end_ns, attributes[_CLOCK] = start_ns, "its end was no time after its start"
        span = self._span(origin, said, (trace_id, span_id), (start_ns, end_ns), attributes)
        self._into.spans.append(span)
        self.index += 1
        if self._options.requests_from_spans and span.kind in _SERVING:
            event = self._event(span)
            if event is not None:
                self._into.events.append(event)

    def _span(
        self, origin: Origin, said: Any, ids: tuple[str, str], times: tuple[int, int], attributes: dict[str, str]
    ) -> Span:
        kind = _KINDS.get(said.kind, "internal")
        method, status = first(attributes, SPAN["method"]), http_status(attributes)
        message: str = said.status.message
        if said.events and not message:
            message = _exception(said.events)
        return Span(
            self._sender.org,
            origin.environment,
            origin.service,
            ids[0],
            ids[1],
            id_of(said.parent_span_id, 16),
            bounded(said.name, LONG_CHARS_MAX),
            kind,
            times[0],
            times[1],
            _STATUSES.get(said.status.code, "unset"),
            bounded(message, VALUE_CHARS_MAX),
            self._route(origin.service, said.name, method, attributes) if kind in _SERVING else "",
            method[:32],
            status,
            first(attributes, SPAN["peer"])[:TEXT_CHARS_MAX] if kind in _ASKING else "",
            origin.region,
            origin.cloud,
            origin.instance,
            self._source,
            attributes,
            tuple([link for one in said.links[:LINKS_MAX] if (link := id_of(one.trace_id, 32))]) if said.links else (),
        )

    def _route(self, service: str, name: str, method: str, attributes: dict[str, str]) -> str:
        """What it names; else of its path; else of its name, which should be "GET /users/{id}"."""
        routes = self._options.routes.of(self._sender.org, service)
        if route := first(attributes, SPAN["route"]):
            return routes.given(route[:LONG_CHARS_MAX])
        if rpc := first(attributes, SPAN["rpc_service"]):
            return routes.given(f"/{rpc}/{first(attributes, SPAN['rpc_method'])}"[:LONG_CHARS_MAX])
        if not method:
            return routes.given(name[:LONG_CHARS_MAX]) if first(attributes, SPAN["rpc"]) else ""
        path = first(attributes, SPAN["path"]) or name.partition(" /")[2]
        return routes.of_path(path) if path else UNKNOWN_ROUTE

    def _event(self, span: Span) -> RequestEvent | None:
        """None of what was no HTTP or RPC request, or does not say how it ended."""
        attributes = span.attributes
        if not span.route:
            return None
        status = span.http_status or (500 if span.status == "error" else 0)
        if not status:
            return None
        error = first(attributes, SPAN["error"])
        if error.isdigit():  # the status once more
            error = ""
        path = first(attributes, SPAN["path"])
        latency_ms = min((span.end_ns - span.start_ns) / 1e6, DURATION_MS_MAX)
        return RequestEvent(
            span.end_ns / 1e9,
            span.org,
            span.service,
            span.route,
            span.method.upper(),
            status,
            latency_ms,
            0.0,
            whole(first(attributes, SPAN["request_bytes"]), BYTES_MAX),
            whole(first(attributes, SPAN["response_bytes"]), BYTES_MAX),
            first(attributes, SPAN["key_id"])[:TEXT_CHARS_MAX],
            span.environment,
            first(attributes, SPAN["request_id"]).strip('[]"')[:TEXT_CHARS_MAX],
            span.trace_id,
            span.span_id,
            1,
            "none",
            "none",
            "none",
            timed_out(error)[:TEXT_CHARS_MAX] if error or status == 504 else "",
            "",
            0,
            0.0,
            client=first(attributes, SPAN["client"])[:TEXT_CHARS_MAX],
            path=plain_path(path)[:EVENT_PATH_BYTES_MAX] if path else "",
            protocol="grpc" if first(attributes, SPAN["rpc"]) == "grpc" else "http/1.1",
            ai=ai_usage(attributes),
            host=first(attributes, SPAN["host"])[:TEXT_CHARS_MAX],
            parent_span_id=span.parent_id,
            region=span.region,
            cloud=span.cloud,
            instance=span.instance,
            source=self._source,
        )


def _exception(events: Any) -> str:
    """What the last recorded exception says."""
    for event in reversed(events[-LINKS_MAX:]):
        if event.name == "exception":
            said = attributes_of(event.attributes)
            kind, message = said.get("exception.type", ""), said.get("exception.message", "")
            return f"{kind}: {message}" if kind and message else kind or message
    return ""
