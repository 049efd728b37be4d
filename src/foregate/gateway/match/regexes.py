"""Regular expressions of people, in front of everybody's requests: bounded before they may run.

A path's expression must match the whole decoded path (`fullmatch`; "." takes every character). It may be 512
characters long, and it must not be able to take very long: no repetition inside a repetition unless the inner one is
possessive (`a++`) or atomic (`(?>…)`), and at most 2^12 ways to divide a text of `REGEX_TEXT_MAX` characters among its
other repetitions, which means a single open one. A repetition that ends where the next character cannot belong to it
(`[^/]+/`), or at the end, has one way. What is taken needs milliseconds for the worst text, not seconds.
"""

import importlib
import math
import re
import warnings
from collections.abc import Iterator
from typing import Any

REGEX_LENGTH_MAX = 512
# A longer path is refused as UNSAFE where an expression would have to be tried; a longer value does not match.
REGEX_TEXT_MAX = 1_024
_WAYS_BITS_MAX = 12.0  # one open repetition (10 bits) and two choices; two open ones took 0.2 s on a hostile path

# Since 3.11 the parser that `re` itself uses stands here; its trees are lists of (opcode, argument).
_parser: Any = importlib.import_module("re._parser")
_ops: Any = importlib.import_module("re._constants")

_OTHER = 1 << 256  # every character above U+00FF
_ALL = (1 << 257) - 1
_BACKTRACKING = (_ops.MAX_REPEAT, _ops.MIN_REPEAT)
_REPEATS = (*_BACKTRACKING, _ops.POSSESSIVE_REPEAT)
_CATEGORIES = {
    _ops.CATEGORY_DIGIT: r"\d",
    _ops.CATEGORY_NOT_DIGIT: r"\D",
    _ops.CATEGORY_SPACE: r"\s",
    _ops.CATEGORY_NOT_SPACE: r"\S",
    _ops.CATEGORY_WORD: r"\w",
    _ops.CATEGORY_NOT_WORD: r"\W",
}


class _Refused(Exception):
    def __init__(self, sentence: str, item: Any = None) -> None:
        super().__init__(sentence)
        self.item = item


def compile_regex(pattern: str) -> re.Pattern[str]:
    """For `fullmatch`. Raises re.error for what `problem_with_regex` would have refused."""
    return re.compile(pattern, re.DOTALL)


def problem_with_regex(pattern: str) -> str | None:
    """What is wrong with an expression, as a sentence naming the place; None when nothing is."""
    if len(pattern) > REGEX_LENGTH_MAX:
        return f"the regular expression has {len(pattern)} characters, {REGEX_LENGTH_MAX} are possible"
    try:
        with warnings.catch_warnings():  # of what reads differently in another version of Python, as "[[" does
            warnings.simplefilter("error")
            tree = _parser.parse(pattern)
            compile_regex(pattern)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        return f'"{pattern}" is not a regular expression: {error}'
    if tree.state.flags & ~re.UNICODE:
        return f'"{pattern}" sets flags: write them out, as in [Aa]'
    try:
        bits = _ways(tree, 0, repeated=False)
    except _Refused as refusal:
        return f'"{pattern}" {refusal}{_place(pattern, tree, refusal.item)}'
    if bits > _WAYS_BITS_MAX:
        return (
            f'"{pattern}" can divide a text in too many ways among its repetitions and may take very long: '
            "let each end at a character that it cannot take itself, as [^/]+ does before /, or make it possessive"
        )
    return None


def lead(pattern: str) -> list[bytes]:
    """The whole segments that every path taken by this expression begins with."""
    literal = ""
    for op, argument in _parser.parse(pattern):
        if op is not _ops.LITERAL:
            break
        literal += chr(argument)
    return [part.encode() for part in literal.split("/")[:-1] if part] if literal.startswith("/") else []


def problem_with_path_regex(pattern: str) -> str | None:
    """The same for the expression of a path, which must also be one that some path can match.

    A route that silently takes nothing would leave its paths to the next one.
    """
    if (problem := problem_with_regex(pattern)) is not None:
        return problem
    tree = _parser.parse(pattern)
    items = [(op, argument) for op, argument in tree if op is not _ops.AT]
    sure = "".join(chr(argument) if op is _ops.LITERAL else "\0" for op, argument in items)  # \0: one of several
    if sure[:1] not in ("/", "\0", ""):
        return f'"{pattern}" matches no path: each begins with "/"'
    if sure.endswith("/") and tree.getwidth()[0] > 1:
        return f'"{pattern}" matches no path: a trailing slash is taken off before it is tried'
    impossible = next((text for text in ("//", ";", "\\") if text in sure), None)
    return f'"{pattern}" matches no path: none has "{impossible}" when it is tried' if impossible is not None else None


# --- how many ways ---------------------------------------------------------------------------------------------


def _ways(items: Any, follow: int, *, repeated: bool) -> float:
    """log2 of how many ways the matcher may have to try for these items, before characters of the set `follow`."""
    bits = 0.0
    for op, argument in reversed(list(items)):
        bits += _ways_of_one(op, argument, follow, repeated)
        first, nullable = _first(op, argument)
        follow = first | follow if nullable else first
    return bits


def _ways_of_one(op: Any, argument: Any, follow: int, repeated: bool) -> float:
    if op in _BACKTRACKING:
        return _ways_of_repeat(op, argument, follow, repeated)
    if op is _ops.POSSESSIVE_REPEAT:
        return _ways(argument[2], _ALL, repeated=False)
    if op is _ops.ATOMIC_GROUP:
        return _ways(argument, _ALL, repeated=False)
    if op is _ops.BRANCH:
        return _ways_of_branch(argument[1], follow, repeated)
    if op is _ops.SUBPATTERN:
        if argument[1] or argument[2]:
            raise _Refused("sets flags: write them out, as in [Aa]")
        return _ways(argument[3], follow, repeated=repeated)
    if op in (_ops.ASSERT, _ops.ASSERT_NOT):
        return _ways(argument[1], _ALL, repeated=repeated)
    if op is _ops.GROUPREF_EXISTS:
        raise _Refused("asks whether a group took part, (?(…)…), which is not taken here")
    return 0.0


def _ways_of_repeat(op: Any, argument: Any, follow: int, repeated: bool) -> float:
    low, high, body = argument
    if repeated and low != high:
        raise _Refused(
            "has a repetition inside a repetition, which may take very long: make the inner one possessive (a++)",
            argument,
        )
    first, _ = _first_of(body)
    bits = _ways(body, first | follow, repeated=repeated or high > 1)
    if low != high and first & follow:
        bits += math.log2(min(high - low + 1, REGEX_TEXT_MAX))
    return bits


def _ways_of_branch(alternatives: Any, follow: int, repeated: bool) -> float:
    taken, apart = 0, True
    for alternative in alternatives:
        first, nullable = _first_of(alternative)
        apart = apart and not nullable and not taken & first
        taken |= first
    if repeated and not apart:
        raise _Refused(
            "repeats alternatives that begin alike, which may take very long: let them begin differently, "
            "or put them into (?>…)"
        )
    bits = max(_ways(alternative, follow, repeated=repeated) for alternative in alternatives)
    return bits if apart else bits + math.log2(len(alternatives))


def _first_of(items: Any) -> tuple[int, bool]:
    """The set of characters that these items may begin with, and whether they may also take nothing."""
    taken = 0
    for op, argument in items:
        first, nullable = _first(op, argument)
        taken |= first
        if not nullable:
            return taken, False
    return taken, True


def _first(op: Any, argument: Any) -> tuple[int, bool]:
    if op in (_ops.LITERAL, _ops.NOT_LITERAL, _ops.ANY, _ops.IN):
        return _characters(op, argument), False
    if op in _REPEATS:
        first, nullable = _first_of(argument[2])
        return first, nullable or argument[0] == 0
    if op is _ops.SUBPATTERN:
        return _first_of(argument[3])
    if op is _ops.ATOMIC_GROUP:
        return _first_of(argument)
    if op is _ops.BRANCH:
        firsts = [_first_of(alternative) for alternative in argument[1]]
        return _union(first for first, _ in firsts), any(nullable for _, nullable in firsts)
    if op in (_ops.AT, _ops.ASSERT, _ops.ASSERT_NOT):
        return 0, True
    return _ALL, True  # a group again: whatever it took


def _union(sets: Iterator[int]) -> int:
    taken = 0
    for each in sets:
        taken |= each
    return taken


def _characters(op: Any, argument: Any) -> int:
    """A set of characters as bits; more than it really is above U+00FF, never less."""
    if op is _ops.LITERAL:
        return _bits(argument, argument)
    if op is _ops.NOT_LITERAL:
        return (_ALL ^ _bits(argument, argument)) | _OTHER
    if op is _ops.ANY:
        return _ALL
    if op is _ops.RANGE:
        return _bits(*argument)
    if op is _ops.CATEGORY:
        category = re.compile(_CATEGORIES[argument])
        return _union(1 << code for code in range(256) if category.match(chr(code))) | _OTHER
    negated = argument[0][0] is _ops.NEGATE
    taken = _union(_characters(*item) for item in argument[1 if negated else 0 :])
    return (_ALL ^ taken) | _OTHER if negated else taken


def _bits(low: int, high: int) -> int:
    inside = ((1 << (min(high, 255) + 1)) - 1) & ~((1 << low) - 1) if low < 256 else 0
    return inside | (_OTHER if high > 255 else 0)


# --- where -----------------------------------------------------------------------------------------------------


def _place(pattern: str, tree: Any, item: Any) -> str:
    """ " (at character N)": where the quantifier of this repetition stands; "" where the parser has rearranged."""
    repeats = list(_repeats(tree))
    marks = _quantifiers(pattern)
    if item is None or len(repeats) != len(marks):
        return ""
    return next((f" (at character {mark + 1})" for each, mark in zip(repeats, marks, strict=True) if each is item), "")


def _repeats(tree: Any) -> Iterator[Any]:
    """The arguments of all repetitions, in the order in which their quantifiers are written."""
    for op, argument in tree:
        if op in (_ops.LITERAL, _ops.IN, _ops.AT, _ops.ANY, _ops.NOT_LITERAL, _ops.GROUPREF):
            continue
        if op in _REPEATS:
            yield from _repeats(argument[2])
            yield argument
        elif op is _ops.BRANCH:
            for alternative in argument[1]:
                yield from _repeats(alternative)
        else:
            yield from _repeats(argument if op is _ops.ATOMIC_GROUP else argument[-1])


_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?|(?P<quantifier>(?:[*+?]|\{\d*,?\d*\})[?+]?)|.", re.DOTALL)


def _quantifiers(pattern: str) -> list[int]:
    return [match.start() for match in _TOKEN.finditer(pattern) if match["quantifier"] is not None]
