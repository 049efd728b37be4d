"""A rule compiled for one of its hosts."""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec

from foregate.gateway.match.conditions import Asked, header_condition, query_condition
from foregate.gateway.match.hosts import HostPattern
from foregate.gateway.match.path import UNSAFE, Segments, Unsafe
from foregate.gateway.match.precedence import rank
from foregate.gateway.match.regexes import REGEX_TEXT_MAX, compile_regex, lead
from foregate.gateway.match.template import Template, read_template
from foregate.wire.match import Rule

T = TypeVar("T")


class Match(msgspec.Struct, Generic[T], frozen=True):
    """What a request met.

    `end` is how many bytes of the raw path the rule's fixed beginning covers: what `strip` removes (0 for a regex).
    `params` are those of a template, or a regular expression's groups by number and name; None where there are none.
    Their values may hold any character but control characters, and no parameters (`;x`); what is not UTF-8 becomes
    U+FFFD.
    `index` is the rule's place among all.
    """

    value: T
    end: int
    index: int
    params: dict[str, str] | None = None


class Entry(Generic[T]):
    """`path` of a regex is its fixed lead. `plain`: whoever comes to its place in the tree gets `match`, unasked.

    `asks`: it has conditions on headers or the query. `methods` are those it takes: HEAD with GET (RFC 9110 section
    9.3.2), `borrows_head` where the rule does not name it.
    """

    __slots__ = (
        "asks",
        "borrows_head",
        "fixed",
        "headers",
        "host",
        "index",
        "match",
        "methods",
        "path",
        "pattern",
        "places",
        "plain",
        "queries",
        "rank",
        "value",
    )

    def __init__(self, rule: Rule, value: T, index: int, host: HostPattern | None) -> None:
        self.index = index
        self.host = host
        self.value = value
        self.pattern: re.Pattern[str] | None = None
        if rule.kind == "regex":
            self.path = Template(tuple(lead(rule.path)), (), True)
            self.pattern = compile_regex(rule.path)
        elif rule.kind == "template":
            self.path = read_template(rule.path)
        else:
            parts = tuple(part.encode() for part in rule.path.split("/") if part)
            self.path = Template(parts, (), rule.kind == "prefix")
        named = frozenset(method.encode() for method in rule.methods)
        self.methods = named | {b"HEAD"} if b"GET" in named else named
        self.borrows_head = self.methods != named
        self.headers = tuple(header_condition(header) for header in rule.headers)
        self.queries = tuple(query_condition(query) for query in rule.queries)
        self.rank = rank(rule, host, self.path, index)
        self.fixed = self.path.fixed
        self.places = self.path.places
        self.asks = bool(self.headers or self.queries)
        self.plain = not (self.methods or self.asks or self.pattern or self.path.names)
        end = sum(len(part) + 1 for part in self.path.parts if part is not None)
        self.match = Match(value, end, index)  # for plain paths, where the rule itself has no parameters

    def wants(self, asked: Asked) -> bool:
        """Whether the conditions on headers and query hold; the method is asked for apart."""
        return all(condition.holds(asked.fields) for condition in self.headers) and all(
            condition.holds(asked.parameters) for condition in self.queries
        )

    def groups(self, segments: Segments) -> re.Match[str] | Unsafe | None:
        """A regex held against the whole path. UNSAFE when that is too long to be tried: nobody may slip past so."""
        assert self.pattern is not None  # noqa: S101 - the caller asks regexes only
        text = segments.text
        if len(text) > REGEX_TEXT_MAX:
            return UNSAFE
        found = self.pattern.fullmatch(text)
        # Groups are what rewrites are made of, and these would be without what stands behind an encoded ";".
        return UNSAFE if found and self.pattern.groups and segments.values != segments.names else found

    def matched(self, segments: Segments, groups: re.Match[str] | None) -> Match[T]:
        """The match of a path that this entry takes."""
        if groups is not None:
            numbered = {str(number): text or "" for number, text in enumerate(groups.groups(), 1)}
            named = {name: text or "" for name, text in groups.groupdict().items()}
            return Match(self.value, 0, self.index, {**numbered, **named} or None)
        if not self.path.names:
            return self.match if segments.ends is None else Match(self.value, segments.end(self.fixed), self.index)
        values = segments.values
        params = {name: values[place].decode("utf-8", "replace") for name, place in self.places}
        if self.path.rest:
            params[self.path.names[-1]] = b"/".join(values[len(self.path.parts) :]).decode("utf-8", "replace")
        return Match(self.value, segments.end(self.fixed), self.index, params)


_BY_RANK = attrgetter("rank")


def order(method: bytes) -> Callable[[Entry[Any]], Any]:
    """By what to sort the rules that take a request: by rank; for HEAD, who names it goes before who borrows it."""
    return _for_head if method == b"HEAD" else _BY_RANK


def _for_head(entry: Entry[Any]) -> tuple[object, ...]:
    *before, index = entry.rank
    return *before, entry.borrows_head, index
