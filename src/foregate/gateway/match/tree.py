"""A tree of path segments: finding costs O(segments of the path), whatever the number of rules.

Beside its rules each node keeps what a plain path that leads there gets: the best rule, when that is certain without
another look, else CAREFUL. A plain path is one without "%", "/.", "//", ";" and backslash.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

from foregate.gateway.match.entry import Entry, Match
from foregate.gateway.match.precedence import Rank

T = TypeVar("T")


class Careful(enum.Enum):
    """The rules here ask for more than the path."""

    CAREFUL = "careful"


CAREFUL: Final = Careful.CAREFUL


class Node(Generic[T]):
    """`here` are the rules for exactly this path, `below` those that also take what is below it.

    `whole` is for a plain path that ends here, `through` for one that goes on where no child is.
    """

    __slots__ = ("below", "children", "here", "parameter", "through", "whole")

    def __init__(self) -> None:
        self.children: dict[bytes, Node[T]] = {}
        self.parameter: Node[T] | None = None
        self.here: list[Entry[T]] = []
        self.below: list[Entry[T]] = []
        self.through: Match[T] | Careful | None = CAREFUL
        self.whole: Match[T] | Careful | None = CAREFUL


class Tree(Generic[T]):
    """The rules of one host. `start` has the root as its child b"": so begins the split of every path but `*`."""

    __slots__ = ("best", "depth", "root", "start")

    def __init__(self) -> None:
        self.root: Node[T] = Node()
        self.start: Node[T] = Node()
        self.start.children[b""] = self.root
        self.depth = 1  # how many "/" of a path have to be looked at
        self.best: Rank | None = None  # of all its rules

    def add(self, entry: Entry[T]) -> None:
        node = self.root
        for part in entry.path.parts:
            if part is not None:
                child = node.children.get(part)
                if child is None:
                    child = node.children[part] = Node()
            else:
                child = node.parameter = node.parameter or Node()
            node = child
        (node.below if entry.path.rest else node.here).append(entry)
        self.depth = max(self.depth, len(entry.path.parts) + 1)
        if self.best is None or entry.rank < self.best:
            self.best = entry.rank

    def find(self, path: bytes) -> Match[T] | Careful | None:
        """What a plain path gets."""
        node = self.start
        for part in path.split(b"/", self.depth):
            child = node.children.get(part)
            if child is not None:
                node = child
            elif part:
                return node.through
        return node.whole

    def candidates(self, names: list[bytes]) -> list[Entry[T]]:
        """The rules whose path, or a regex's fixed lead, takes these segments; unordered."""
        found: list[Entry[T]] = []
        node = self.root
        for place, name in enumerate(names):
            if node.parameter is not None:
                return found + _branching(node, names[place:])
            if node.below:
                found += node.below
            child = node.children.get(name)
            if child is None:
                return found
            node = child
        return found + node.below + node.here

    def sealing(self, floor: Rank | None) -> Iterator[None]:
        """Give every node its `whole` and `through`, one node a step. `floor` is the best rank of other hosts' trees
        that a request of this host may meet as well."""
        todo: list[tuple[Node[T], Entry[T] | None, bool]] = [(self.root, None, False)]
        while todo:
            node, best, careful = todo.pop()
            careful = careful or node.parameter is not None
            best = _first(best, node.below)
            node.through = _certain(best, careful, floor)
            node.whole = _certain(_first(best, node.here), careful, floor)
            todo += [(child, best, careful) for child in node.children.values()]
            yield


def _branching(node: Node[T], names: list[bytes]) -> list[Entry[T]]:
    """Candidates from a node where a fixed segment and a parameter may both fit: at most the nodes of each depth."""
    found: list[Entry[T]] = []
    level = [node]
    for name in names:
        following: list[Node[T]] = []
        for node in level:
            found += node.below
            child = node.children.get(name)
            if child is not None:
                following.append(child)
            if node.parameter is not None:
                following.append(node.parameter)
        level = following
        if not level:
            return found
    for node in level:
        found += node.below
        found += node.here
    return found


def _first(best: Entry[T] | None, others: list[Entry[T]]) -> Entry[T] | None:
    for entry in others:
        if best is None or entry.rank < best.rank:
            best = entry
    return best


def _certain(best: Entry[T] | None, careful: bool, floor: Rank | None) -> Match[T] | Careful | None:
    if careful:
        return CAREFUL
    if best is None:
        return None
    return best.match if best.plain and (floor is None or best.rank < floor) else CAREFUL
