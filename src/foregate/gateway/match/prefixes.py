"""A tree of path segments: finding costs O(segments of the path), whatever the number of routes.

What an upstream may read differently than we do must not slip past a route's policies: percent-encoded segments are
decoded before they are compared (an encoded slash counts as a slash), empty segments are skipped, and a path with a
dot segment is refused, also one with parameters (`..;x`, which servlet containers take for `..`), and so is every
backslash (which others take for a slash).
"""

import re
from collections.abc import Iterable
from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

from foregate.gateway.match.path import UNSAFE  # instead of a prefix's length: the path must be refused

T = TypeVar("T")
_SEGMENT = re.compile(rb"(?:/|%2[fF])((?:[^/%]|%(?!2[fF]))*)")
_DOTS = (b".", b"..")


class _Node(Generic[T]):
    __slots__ = ("children", "value")

    def __init__(self) -> None:
        self.children: dict[bytes, _Node[T]] = {}
        self.value: T | None = None


class Prefixes(Generic[T]):
    """`entries` are (prefix, value): "/ai" takes "/ai", "/ai/" and "/ai/x", never "/aix"; "/" takes every path."""

    def __init__(self, entries: Iterable[tuple[str, T]]) -> None:
        self._root: _Node[T] = _Node()
        for prefix, value in entries:
            node = self._root
            for segment in prefix.encode().split(b"/"):
                if segment:
                    node = node.children.setdefault(unquote_to_bytes(segment), _Node())
            node.value = value

    def find(self, path: bytes) -> tuple[T | None, int]:
        """The value of the longest prefix of `path` and that prefix's length in bytes; None where there is none."""
        if b"%" in path or b"/." in path or b"//" in path or b"\\" in path:
            return self._find_carefully(path)
        node = self._root
        best, end, at, size = node.value, 0, 0, len(path)
        while at < size and node.children:  # below a leaf nothing can be longer: the rest of the path is not looked at
            stop = path.find(b"/", at + 1)
            if stop < 0:
                stop = size
            child = node.children.get(path[at + 1 : stop])
            if child is None:
                break
            node, at = child, stop
            if node.value is not None:
                best, end = node.value, at
        return best, end

    def _find_carefully(self, path: bytes) -> tuple[T | None, int]:
        node: _Node[T] | None = self._root
        best, end = self._root.value, 0
        for match in _SEGMENT.finditer(path):
            segment = unquote_to_bytes(match[1])
            if segment.partition(b";")[0] in _DOTS or b"\\" in segment:
                return None, UNSAFE
            if segment and node is not None:
                node = node.children.get(segment)
                if node is not None and node.value is not None:
                    best, end = node.value, match.end()
        return best, end
