"""The critical path: which span kept a journey from ending earlier, at every moment of it. Pure.

From the end backwards: of the children that had ended by then the last one is what was waited for, and so on inside it;
what no child explains is the span's own. Children that began together with one that ended later do not count.
Source: Zhang, Harchol-Balter et al.: CRISP, USENIX ATC 2022, section 3.
"""

from typing import NamedTuple

from foregate.telemetry.journeys.join import Node


class Piece(NamedTuple):
    """From `start_ns` to `end_ns` it was `node` itself."""

    node: Node
    start_ns: int
    end_ns: int


def critical_path(root: Node) -> list[Piece]:
    """Pieces without gaps or overlaps from the root's start to its end, oldest first; none for one without duration."""
    pieces: list[Piece] = []
    # A span within its bounds, and the next of its children to look at, the last to end first.
    stack = [_Visit(root, root.start_ns, root.end_ns)]
    while stack:
        visit = stack[-1]
        child = visit.next_child()
        if child is None:
            stack.pop()
            if visit.until_ns > visit.from_ns:
                pieces.append(Piece(visit.node, visit.from_ns, visit.until_ns))
            continue
        start_ns, end_ns = max(child.start_ns, visit.from_ns), min(child.end_ns, visit.end_ns)
        if visit.until_ns > end_ns:
            pieces.append(Piece(visit.node, end_ns, visit.until_ns))
        visit.until_ns = start_ns
        stack.append(_Visit(child, start_ns, end_ns))
    pieces.reverse()
    return pieces


class _Visit:
    """A span whose time from `from_ns` until `until_ns` is not explained yet."""

    __slots__ = ("_children", "end_ns", "from_ns", "node", "until_ns")

    def __init__(self, node: Node, from_ns: int, end_ns: int) -> None:
        self.node = node
        self.from_ns = from_ns
        self.end_ns = self.until_ns = end_ns
        self._children = sorted(node.children, key=lambda child: (child.end_ns, child.start_ns))

    def next_child(self) -> Node | None:
        """The last to end of those that had ended by `until_ns`, and were at work at all within the bounds."""
        while self._children:
            child = self._children.pop()
            start_ns, end_ns = max(child.start_ns, self.from_ns), min(child.end_ns, self.end_ns)
            if start_ns < end_ns <= self.until_ns:
                return child
        return None
