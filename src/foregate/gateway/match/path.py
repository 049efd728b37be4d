"""Reading a request's path once, the same way for every kind of rule, or refusing it.

What an upstream may read differently than we do must not slip past a route's policies: percent-encoded segments are
decoded before they are compared (an encoded slash counts as a slash), empty segments are skipped (so a trailing slash
makes no difference), and a path with a dot segment is refused, also one with parameters (`..;x`, which servlet
containers take for `..`), and so is every backslash (which others take for a slash).
"""

import enum
import re
from typing import Final
from urllib.parse import unquote_to_bytes


class Unsafe(enum.IntEnum):
    """The one answer that means: refuse this path, whatever the routes are."""

    UNSAFE = -1


UNSAFE: Final = Unsafe.UNSAFE
_SEGMENT = re.compile(rb"(?:/|%2[fF])([^/%]*(?:%(?!2[fF])[^/%]*)*)")
_DOTS = (b".", b"..")


class Segments:
    """The decoded, non-empty segments of a path. `ends` says where each ends in the raw bytes; None: it was plain."""

    __slots__ = ("ends", "names")

    def __init__(self, names: list[bytes], ends: list[int] | None = None) -> None:
        self.names = names
        self.ends = ends

    def end(self, count: int) -> int:
        """How many raw bytes the first `count` segments cover, with the slashes before them."""
        if self.ends is None:
            return sum(map(len, self.names[:count])) + count
        return self.ends[count - 1] if count else 0

    @property
    def text(self) -> str:
        """The path as regular expressions see it: decoded, "/" before each segment, none after the last."""
        return "/" + b"/".join(self.names).decode("utf-8", "replace")


def split(path: bytes) -> Segments | Unsafe:
    """The segments of a raw path. `*` (of OPTIONS) has none, as "/" has."""
    names: list[bytes] = []
    ends: list[int] = []
    for match in _SEGMENT.finditer(path):
        name = match[1]
        if b"%" in name:
            name = unquote_to_bytes(name)
        if b"\\" in name or is_dots(name):
            return UNSAFE
        if name:
            names.append(name)
            ends.append(match.end())
    return Segments(names, ends)


def split_plain(path: bytes) -> Segments:
    """The same for a path without "%", "/.", "//" and backslash: what most are, and cheaper."""
    names = path.split(b"/")
    del names[0]  # what stands before the first "/": nothing, or the `*`
    if names and not names[-1]:
        del names[-1]
    return Segments(names)


def is_dots(segment: bytes) -> bool:
    """Whether somebody may take this decoded segment for "." or ".."."""
    return segment[:1] == b"." and segment.partition(b";")[0] in _DOTS
