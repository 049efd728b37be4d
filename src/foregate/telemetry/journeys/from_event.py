"""A request event as spans: what was served, and what was asked for it."""

from foregate.wire.event import RequestEvent
from foregate.wire.span import Span

GATEWAY = "gateway"  # as a service; the event's own `service` is the one that it asked
_FLIPPED = str.maketrans("0123456789abcdef", "89abcdef01234567")


def attempt_id(span_id: str) -> str:
    """The id of the client span below a gateway's server span: the same whenever it is made."""
    return span_id[:1].translate(_FLIPPED) + span_id[1:]


def spans_of(event: RequestEvent) -> list[Span]:
    """Of the gateway a server span and, where a service was asked, a client span of the last attempt; of others' events
    a server span. None without a trace, and none of OTLP: its spans come by themselves.

    `time_s` is the end of the request. When the last attempt began follows from the client's first byte, which the
    service's first byte has set off.
    """
    if not event.trace_id or not event.span_id or event.source == "otlp":
        return []
    end_ns = int(event.time_s * 1e9)
    start_ns = end_ns - int(max(0.0, event.latency_ms) * 1e6)
    ours = event.source == "gateway"
    spans = [_server(event, GATEWAY if ours else event.service, start_ns, end_ns)]
    if ours and event.attempts > 0:
        asked_ns = start_ns + int(max(0.0, event.first_byte_ms - event.upstream_ms) * 1e6)
        spans.append(_client(event, min(asked_ns, end_ns), end_ns))
    return spans


def _server(event: RequestEvent, service: str, start_ns: int, end_ns: int) -> Span:
    return Span(
        org=event.org,
        environment=event.environment,
        service=service,
        trace_id=event.trace_id,
        span_id=event.span_id,
        parent_id=event.parent_span_id,
        name=f"{event.method} {event.route}",
        kind="server",
        start_ns=start_ns,
        end_ns=end_ns,
        status="error" if event.failed else "unset",
        message=event.error,
        route=event.route,
        method=event.method,
        http_status=event.status,
        region=event.region,
        cloud=event.cloud,
        instance=event.instance,
        source=event.source,
        attributes=_attributes(event),
    )


def _attributes(event: RequestEvent) -> dict[str, str]:
    """What a person wants to know of it, in OpenTelemetry's words where it has some."""
    said = {
        "http.request.id": event.request_id,
        "url.path": event.path,
        "error.type": event.error,
        "foregate.key_id": event.key_id,
        "foregate.policies": event.policies,
        "foregate.cache": "" if event.cache == "none" else event.cache,
    }
    if event.ai is not None:
        said |= {
            "gen_ai.operation.name": event.ai.operation,
            "gen_ai.provider.name": event.ai.provider,
            "gen_ai.request.model": event.ai.model,
            "gen_ai.response.model": event.ai.answered_by,
            "gen_ai.usage.input_tokens": str(event.ai.input_tokens),
            "gen_ai.usage.output_tokens": str(event.ai.output_tokens),
        }
    return {name: value for name, value in said.items() if value}


def _client(event: RequestEvent, start_ns: int, end_ns: int) -> Span:
    upstream_failed = event.failed and event.error != "client_closed"
    attributes = {"http.request.resend_count": str(event.attempts - 1)} if event.attempts > 1 else {}
    return Span(
        org=event.org,
        environment=event.environment,
        service=GATEWAY,
        trace_id=event.trace_id,
        span_id=attempt_id(event.span_id),
        parent_id=event.span_id,
        name=f"{event.method} {event.service}",
        kind="client",
        start_ns=start_ns,
        end_ns=end_ns,
        status="error" if upstream_failed else "unset",
        message=event.error,
        method=event.method,
        http_status=event.status,
        peer=event.service,
        region=event.region,
        cloud=event.cloud,
        instance=event.instance,
        source=event.source,
        attributes=attributes | ({"url.full": event.target} if event.target else {}),
    )
