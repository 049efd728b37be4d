"""Another path towards the upstream. Paths are raw bytes, without the query.

Whatever comes out begins with one "/", has no dot segment and no backslash; where that cannot be, None: the caller
refuses the request (400). Values are percent-encoded again, so no value can become another segment, a query or a
fragment; a regular expression's groups may hold several segments and keep their slashes.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

from foregate.gateway.match.path import UNSAFE, split
from foregate.gateway.match.regexes import REGEX_TEXT_MAX, compile_regex, problem_with_regex
from foregate.wire.snapshot import Rewrite

_SAFE = "!$&'()*+,;=:@~"  # RFC 3986 pchar, beyond letters, digits and -._
_SAFE_IN_VALUE = _SAFE.replace(";", "") + "/"  # what a value says is data: it adds no parameters to a segment
_SLASHES = re.compile(rb"(?:/|%2[fF])+")
_PLACE = re.compile(r"\$?\{(?:param\.)?([A-Za-z0-9_]+)\}")
_LITERAL = re.compile(r"[!-~]*")
_NOT_PLAIN = re.compile(r"[?#\\]|%(?![0-9A-Fa-f]{2})")


def stripped(path: bytes, end: int) -> bytes:
    """The path without its first `end` bytes, which a match has covered."""
    rest = path[end:]
    slashes = _SLASHES.match(rest)  # "/a%2Fx" and "/a//x" under "/a" are "/x", never "//x", which reads as a host
    return b"/" + (rest if slashes is None else rest[slashes.end() :])


def replace_prefix(path: bytes, end: int, prefix: str) -> bytes:
    """The path with `prefix` ("/v2", judged by `problem_with_target`) instead of its first `end` bytes."""
    rest = stripped(path, end)
    head = quote(prefix, safe=_SAFE + "/%").encode().rstrip(b"/")
    return head + rest if rest != b"/" or not head else head


def rewritten(settings: Rewrite, path: bytes, params: Mapping[str, str] | None) -> bytes | None:
    """The path that a route's settings make of this one; None when it would not be safe."""
    rule = compiled(settings)
    return rule.fill(params) if isinstance(rule, PathTemplate) else rule.apply(path)


@lru_cache(maxsize=10_000)  # as many as there may be routes; beyond it the least used is compiled again
def compiled(settings: Rewrite) -> "PathTemplate | RegexRewrite":
    """Settings without a `problem_with_target`, ready for use."""
    return PathTemplate(settings.to) if settings.regex is None else RegexRewrite(settings.regex, settings.to)


class PathTemplate:
    """ "/v2/${param.id}" or "/v2/{id}": a path with the parameters of a match in it."""

    __slots__ = ("_pieces",)

    def __init__(self, text: str) -> None:
        self._pieces = _PLACE.split(text)  # literal, name, literal, name, …, literal

    @property
    def names(self) -> frozenset[str]:
        """The parameters that the rule must have."""
        return frozenset(self._pieces[1::2])

    def fill(self, params: Mapping[str, str] | None) -> bytes | None:
        """The path with these parameters; None when one is missing or the result would not be safe."""
        given = params or {}
        out = []
        for number, piece in enumerate(self._pieces):
            if number % 2 == 0:
                out.append(quote(piece, safe=_SAFE + "/%"))
                continue
            value = given.get(piece)
            if value is None:
                return None
            out.append(quote(value, safe=_SAFE_IN_VALUE))
        return _checked("".join(out).encode())


class RegexRewrite:
    r"""The whole decoded path, when `pattern` matches it, becomes `replacement` with \1 or \g<name> in it."""

    __slots__ = ("_pattern", "_pieces")

    def __init__(self, pattern: str, replacement: str) -> None:
        self._pattern = compile_regex(pattern)
        self._pieces = _read_replacement(replacement)

    def apply(self, path: bytes) -> bytes | None:
        """The new path; the same one when the pattern does not match; None when it would not be safe."""
        segments = split(path)
        if segments is UNSAFE or len(segments.text) > REGEX_TEXT_MAX:
            return None
        if segments.values != segments.names:
            return None  # expressions do not see what stands behind an encoded ";": the new path would be without it
        match = self._pattern.fullmatch(segments.text)
        if match is None:
            return path
        out = []
        for piece in self._pieces:
            safe = _SAFE + ("/" if piece.group else "/%")
            out.append(quote((match[piece.key] or "") if piece.group else piece.text, safe=safe))
        return _checked("".join(out).encode())


class _Piece(NamedTuple):
    """Literal text, or the name or number of a group."""

    text: str
    group: bool

    @property
    def key(self) -> int | str:
        return int(self.text) if self.text.isdigit() else self.text


_GROUP = re.compile(r"\\(?:(\d{1,2})|g<([A-Za-z_][A-Za-z0-9_]*|\d{1,2})>)")


def _read_replacement(text: str) -> list[_Piece]:
    pieces, at = [], 0
    for match in _GROUP.finditer(text):
        name = match[1] or match[2]
        pieces += [_Piece(text[at : match.start()], False), _Piece(name, True)]
        at = match.end()
    return [*pieces, _Piece(text[at:], False)]


def problem_with_target(text: str, names: frozenset[str], regex: str | None = None) -> str | None:
    """What is wrong with the path to rewrite to, as a sentence; None when nothing is.

    `names` are the parameters that the rule's path has; with `regex`, `text` is the replacement of a RegexRewrite.
    """
    if regex is not None and (problem := problem_with_regex(regex)) is not None:
        return problem
    plain = _GROUP.sub("x", text) if regex is not None else _PLACE.sub("x", text)
    if not text.startswith("/") and not (regex is not None and text.startswith("\\")):
        return f'"{text}" must start with "/"'
    if _LITERAL.fullmatch(plain) is None or _NOT_PLAIN.search(plain) or "{" in plain:
        return f'"{text}" must be ASCII without spaces, "?", "#", a lone "%" or a backslash, and its braces whole'
    if split(plain.encode()) is UNSAFE:
        return f'"{text}" has a dot segment'
    if regex is None:
        missing = sorted(PathTemplate(text).names - names)
        return f'"{text}" names the parameter {missing[0]}, which the route has not' if missing else None
    pattern = compile_regex(regex)
    for piece in _read_replacement(text):
        known = piece.key in pattern.groupindex or (isinstance(piece.key, int) and piece.key <= pattern.groups)
        if piece.group and not known:
            return f'"{text}" names the group {piece.text}, which "{regex}" has not'
    return None


def _checked(path: bytes) -> bytes | None:
    """Exactly one "/" between segments, and nothing that others read as going up."""
    if split(path) is UNSAFE:
        return None
    return b"/" + b"/".join(part for part in path.split(b"/") if part)
