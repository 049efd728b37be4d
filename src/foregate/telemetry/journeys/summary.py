"""A journey in a line, for lists and searches. Pure."""

from foregate.telemetry.journeys.join import Trace
from foregate.telemetry.journeys.skew import correct
from foregate.wire.journey import Stored, Summary
from foregate.wire.survey import KeptBecause

_PARTICIPANTS_MAX = 200  # of one journey; further ones cannot be searched by


def stored(trace: Trace, reason: KeptBecause, cut: int, spans_max: int) -> Stored:
    """The journey as it is kept: its spans once each, the earliest `spans_max` of them. Corrects the trace's clocks."""
    spans = tuple(node.span for node in trace.nodes[:spans_max])
    cut += len(trace.nodes) - len(spans)
    correct(trace)
    root = trace.root
    span = root.span
    summary = Summary(
        org=span.org,
        trace_id=span.trace_id,
        start_s=root.start_ns / 1e9,
        duration_ms=(root.end_ns - root.start_ns) / 1e6,
        service=span.service,
        environment=span.environment,
        route=span.route,
        name=span.name,
        failed=any(node.span.failed for node in trace.nodes),
        spans=len(spans),
        reason=reason,
        truncated=cut,
        skew_ms=max((abs(node.skew_ns) for node in trace.nodes), default=0) / 1e6,
        participants=_participants(trace),
        method=span.method,
        http_status=span.http_status,
        request_id=span.attributes.get("http.request.id", ""),
    )
    return Stored(summary, spans)


def _participants(trace: Trace) -> tuple[tuple[str, str], ...]:
    found = {node.who for node in trace.nodes}
    peers = {
        (node.span.peer, "")
        for node in trace.nodes
        if node.span.peer and not any(child.crossed for child in node.children)
    }
    return tuple(sorted(found | peers))[:_PARTICIPANTS_MAX]
