"""Reading a request's path once, the same way for every kind of rule, or refusing it.

What an upstream may read differently than we do must not slip past a route's policies: percent-encoded segments are
decoded before they are compared (an encoded slash counts as a slash), empty segments are skipped (so a trailing slash
makes no difference), and a segment's parameters (`;x`, which servlet containers take off) are not looked at. Refused
are dot segments, also with parameters (`..;x`), every backslash (which others take for a slash), control characters
(where some end a path), an encoded slash within parameters and a segment of parameters alone that is not the last
(which may or may not be segments of their own).
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
_REFUSED = re.compile(rb"[\x00-\x1f\x7f\\]|%(?:[01][0-9A-Fa-f]|7[fF]|5[cC])|;[^/;]*%2[fF]")
DOTS = (b".", b"..")


class Segments:
    """The decoded, non-empty segments of a path, without parameters.

    `ends` says where each ends in the raw bytes, with its parameters; None: the path was plain. `values` are the same
    segments with what stands behind an encoded semicolon: that is data, though some upstreams take it for parameters.
    """

    __slots__ = ("ends", "names", "values")

    def __init__(self, names: list[bytes], ends: list[int] | None = None, values: list[bytes] | None = None) -> None:
        self.names = names
        self.ends = ends
        self.values = values or names

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
    if _REFUSED.search(path) is not None:
        return UNSAFE
    names: list[bytes] = []
    ends: list[int] = []
    values: list[bytes] = []
    nameless = False
    for match in _SEGMENT.finditer(path):
        name = value = match[1].partition(b";")[0]
        if b"%" in value:
            value = unquote_to_bytes(value)
            name = value.partition(b";")[0]
        if name in DOTS or (value and not name) or (name and nameless):
            return UNSAFE
        if not name:
            nameless = nameless or bool(match[1])  # it has parameters, and may be the last
        else:
            names.append(name)
            ends.append(match.end())
            values.append(value)
    return Segments(names, ends, values)


def split_plain(path: bytes) -> Segments:
    """The same for a path without "%", "/.", "//", ";" and backslash: what most are, and cheaper."""
    names = path.split(b"/")
    del names[0]  # what stands before the first "/": nothing, or the `*`
    if names and not names[-1]:
        del names[-1]
    return Segments(names)
