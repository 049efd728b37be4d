"""The spans of one trace put together: a forest, whatever has come and in whatever order. Pure.

Spans come late, twice, without their parents, and from senders that make mistakes: each of these is mended in one way,
and counted. No order of the spans changes the result.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from foregate.telemetry.journeys.from_event import attempt_id
from foregate.wire.span import Span

_SERVES = ("server", "consumer")


@dataclass(slots=True, eq=False)
class Node:
    """A span in its place. Times are Unix nanoseconds, corrected by `skew_ns` (`telemetry.journeys.skew`)."""

    span: Span
    start_ns: int
    end_ns: int
    parent: "Node | None" = None
    children: list["Node"] = field(default_factory=list)  # by their start
    skew_ns: int = 0
    missing_parent: bool = False

    @property
    def who(self) -> tuple[str, str]:
        """Service and environment."""
        return self.span.service, self.span.environment

    @property
    def crossed(self) -> bool:
        """Its parent is of another service or environment: a call went from one to the other."""
        parent = self.parent
        return parent is not None and (
            parent.span.service != self.span.service or parent.span.environment != self.span.environment
        )


@dataclass(slots=True)
class Trace:
    """`root` is the one of `roots` that the journey is named after: one without a parent, else the earliest."""

    root: Node
    roots: list[Node]
    nodes: list[Node]
    duplicates: int = 0
    cycles: int = 0

    @property
    def missing_parents(self) -> int:
        return sum(node.missing_parent for node in self.roots)

    def walk(self) -> Iterator[tuple[Node, int]]:
        """Every node with its depth, parents first, siblings by their start."""
        stack = [(root, 0) for root in reversed(self.roots)]
        while stack:
            node, depth = stack.pop()
            yield node, depth
            stack += [(child, depth + 1) for child in reversed(node.children)]


def join(spans: Iterable[Span]) -> Trace:
    """Put the spans of one trace together. Raises ValueError without any."""
    nodes, servers, duplicates = _distinct(spans)
    if not nodes:
        raise ValueError("a trace has at least one span")
    by_id = {node.span.span_id: node for node in nodes if servers.get(node.span.span_id) is not node}
    for node in nodes:
        _place(node, by_id, servers)
    cycles = _cut_cycles(nodes)
    for node in nodes:
        if node.parent is not None:
            node.parent.children.append(node)
    sort_children(nodes)
    roots = sorted((node for node in nodes if node.parent is None), key=_order)
    root = min(roots, key=lambda node: (node.missing_parent, *_order(node)))
    return Trace(root, roots, nodes, duplicates, cycles)


def sort_children(nodes: Iterable[Node]) -> None:
    """By their start, which may have been corrected."""
    for node in nodes:
        if len(node.children) > 1:
            node.children.sort(key=_order)


def _distinct(spans: Iterable[Span]) -> tuple[list[Node], dict[str, Node], int]:
    """Each span once. A server may share its client's span id (Zipkin's way): it is another span then."""
    found: dict[tuple[str, bool], Span] = {}
    count = 0
    for span in spans:
        count += 1
        key = (span.span_id, span.kind in _SERVES)
        known = found.get(key)
        if known is None or _richer(span) > _richer(known):
            found[key] = span
    nodes: list[Node] = []
    servers: dict[str, Node] = {}  # those that share
    for (span_id, serves), span in found.items():
        node = Node(span, span.start_ns, max(span.start_ns, span.end_ns))
        nodes.append(node)
        if serves and (span_id, False) in found:
            servers[span_id] = node
    nodes.sort(key=_order)
    return nodes, servers, count - len(found)


def _richer(span: Span) -> tuple[bool, int, int, int, str]:
    """Of two spans with one id the one that says more is taken: its own sender's, the longer."""
    ours = span.source == "gateway"
    return not ours, len(span.attributes), span.end_ns - span.start_ns, -span.start_ns, f"{span.parent_id}{span.name}"


def _place(node: Node, by_id: dict[str, Node], servers: dict[str, Node]) -> None:
    """Give it its parent. Who was asked by the gateway stands below the attempt, whose id it was not told."""
    span = node.span
    if servers.get(span.span_id) is node:
        node.parent = by_id[span.span_id]
        return
    if not span.parent_id:
        return
    parent = servers.get(span.parent_id) or by_id.get(span.parent_id)
    if parent is node:
        parent = None
    node.missing_parent = parent is None
    if parent is not None and parent.span.source == "gateway" and span.kind in _SERVES and span.source != "gateway":
        parent = by_id.get(attempt_id(span.parent_id), parent)
    node.parent = parent


def _cut_cycles(nodes: list[Node]) -> int:
    """A sender may say that two spans are each other's parents: the earliest of such a ring is made a root."""
    sound: set[int] = set()
    cut = 0
    for node in nodes:  # the earliest first
        path: list[Node] = []
        on_path: set[int] = set()
        at: Node | None = node
        while at is not None and id(at) not in sound and id(at) not in on_path:
            path.append(at)
            on_path.add(id(at))
            at = at.parent
        if at is not None and id(at) in on_path:
            ring = path[path.index(at) :]
            first = min(ring, key=_order)
            first.parent, first.missing_parent = None, True
            cut += 1
        sound |= on_path
    return cut


def _order(node: Node) -> tuple[int, int, str, bool]:
    """Total, whatever order the spans came in."""
    return node.start_ns, -node.end_ns, node.span.span_id, node.span.kind in _SERVES
