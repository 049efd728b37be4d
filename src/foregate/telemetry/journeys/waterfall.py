"""A journey as it is drawn: one row per span, parents first. Pure."""

from collections.abc import Iterable, Sequence

from foregate.telemetry.journeys.breakdown import breakdown
from foregate.telemetry.journeys.critical_path import Piece, critical_path
from foregate.telemetry.journeys.join import Node, Trace, join
from foregate.telemetry.journeys.skew import correct
from foregate.wire.journey import Journey, Row, Segment, Stored


def drawn(stored: Stored) -> Journey:
    """What people see of a kept journey. Raises ValueError when it has no spans."""
    trace = join(stored.spans)
    correct(trace)
    zero_ns = min(node.start_ns for node in trace.nodes)
    path = critical_path(trace.root)
    return Journey(
        summary=stored.summary,
        rows=tuple(_rows(trace, path, zero_ns)),
        critical_path=tuple(
            Segment(piece.node.span.span_id, (piece.start_ns - zero_ns) / 1e6, (piece.end_ns - piece.start_ns) / 1e6)
            for piece in path
        ),
        breakdown=breakdown(path),
        missing_parents=trace.missing_parents,
        roots=len(trace.roots),
        duplicates=trace.duplicates,
        cycles=trace.cycles,
    )


def _rows(trace: Trace, path: Sequence[Piece], zero_ns: int) -> Iterable[Row]:
    critical: dict[int, int] = {}
    for piece in path:
        critical[id(piece.node)] = critical.get(id(piece.node), 0) + piece.end_ns - piece.start_ns
    for node, depth in trace.walk():
        span = node.span
        yield Row(
            span_id=span.span_id,
            parent_id=node.parent.span.span_id if node.parent is not None else span.parent_id,
            depth=depth,
            service=span.service,
            environment=span.environment,
            instance=span.instance,
            name=span.name,
            kind=span.kind,
            offset_ms=(node.start_ns - zero_ns) / 1e6,
            duration_ms=(node.end_ns - node.start_ns) / 1e6,
            self_ms=self_ns(node) / 1e6,
            critical_ms=critical.get(id(node), 0) / 1e6,
            failed=span.failed,
            skew_ms=node.skew_ns / 1e6,
            missing_parent=node.missing_parent,
            message=span.message,
            http_status=span.http_status,
            peer=span.peer,
            region=span.region,
            cloud=span.cloud,
            source=span.source,
            attributes=span.attributes,
            links=span.links,
        )


def self_ns(node: Node) -> int:
    """How much of its time it was in none of its children, which may overlap one another and its ends."""
    covered, reached = 0, node.start_ns
    for child in node.children:  # by their start
        start_ns, end_ns = max(child.start_ns, reached), min(child.end_ns, node.end_ns)
        if end_ns > start_ns:
            covered += end_ns - start_ns
            reached = end_ns
    return node.end_ns - node.start_ns - covered
