"""Where the time of a journey went: to services, to the networks between them, to peers that are not seen. Pure."""

from collections.abc import Sequence
from typing import Literal

from foregate.telemetry.journeys.critical_path import Piece
from foregate.telemetry.journeys.join import Node
from foregate.wire.journey import Part

Where = tuple[Literal["service", "network", "external"], str, str]


def breakdown(path: Sequence[Piece]) -> tuple[Part, ...]:
    """The critical path added up, the largest part first. The parts add up to the root's duration."""
    spent: dict[Where, int] = {}
    for piece in path:
        where = _where(piece.node)
        spent[where] = spent.get(where, 0) + piece.end_ns - piece.start_ns
    whole = sum(spent.values())
    return tuple(
        Part(*where, duration_ms=ns / 1e6, share=ns / whole)
        for where, ns in sorted(spent.items(), key=lambda item: (-item[1], item[0]))
    )


def _where(node: Node) -> Where:
    """A client span's own time is the way to whom it asked, where that one reports itself; else it is all theirs."""
    span = node.span
    if span.kind == "client":
        called = next((child for child in node.children if child.crossed), None)
        if called is not None:
            return "network", called.span.service, called.span.environment
        if span.peer:
            return "external", span.peer, ""
    return "service", span.service, span.environment
