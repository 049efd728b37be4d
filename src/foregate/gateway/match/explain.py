"""Why a request meets the rule it meets, in sentences: for `foregate config explain`, not for the request path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from foregate.gateway.match.conditions import Asked, Condition
from foregate.gateway.match.entry import Entry, order
from foregate.gateway.match.hosts import normalise
from foregate.gateway.match.path import UNSAFE, Segments, split
from foregate.gateway.match.router import Router
from foregate.http1.headers import HeaderList

T = TypeVar("T")
_OTHER_HOST = "the host is"


class Reason(NamedTuple):
    """`rule` is the rule's place among all; `matched` marks the one rule that the request meets."""

    rule: int
    matched: bool
    sentence: str


def explain(
    router: Router[T], method: bytes, host: bytes, path: bytes, query: bytes, headers: HeaderList
) -> list[Reason]:
    """One reason per rule, in the order of the file. Takes time in proportion to the rules."""
    segments = split(path)
    if segments is UNSAFE:
        sentence = "the path is refused for every rule: it can be read in two ways"
        return [Reason(index, False, sentence) for index in sorted({entry.index for entry in router.entries})]
    asked = Asked(query, headers)
    refusals: dict[int, str] = {}
    takers: list[Entry[T]] = []
    for entry in router.entries:
        sentence = next(_against(entry, method, host, segments, asked), "")
        if not sentence:
            takers.append(entry)
        elif not sentence.startswith(_OTHER_HOST) or entry.index not in refusals:
            refusals[entry.index] = sentence
        elif refusals[entry.index].startswith(_OTHER_HOST):  # a rule has several hosts, and this is none of them
            refusals[entry.index] += f" or {_shown_host(entry)}"
    takers.sort(key=order(method))
    answers = {index: Reason(index, False, sentence) for index, sentence in refusals.items()}
    for place, entry in reversed(list(enumerate(takers))):
        if place:
            before = takers[0]
            sentence = f"matches too, but rule {before.index} goes first: {_why_first(before, entry, method)}"
        else:
            sentence = "matched"
        answers[entry.index] = Reason(entry.index, place == 0, sentence)
    return [answers[index] for index in sorted(answers)]


def _against(entry: Entry[T], method: bytes, host: bytes, segments: Segments, asked: Asked) -> Iterator[str]:
    """What speaks against a rule, the first thing first."""
    name, port = normalise(host)
    if entry.host is not None and not entry.host.takes(name, port):
        yield f"{_OTHER_HOST} {host.decode('latin-1')}, not {_shown_host(entry)}"
    if (sentence := _path_against(entry, segments)) is not None:
        yield sentence
    if entry.methods and method not in entry.methods:
        wanted = ", ".join(sorted(other.decode() for other in entry.methods))
        yield f"the method is {method.decode('latin-1')}, not {wanted}"
    for condition in entry.headers:
        if not condition.holds(asked.fields):
            yield _condition_against("header", condition, asked.fields.get(condition.name))
    for condition in entry.queries:
        if not condition.holds(asked.parameters):
            yield _condition_against("parameter", condition, asked.parameters.get(condition.name))


def _path_against(entry: Entry[T], segments: Segments) -> str | None:
    if entry.pattern is not None:
        groups = entry.groups(segments)
        if groups is UNSAFE:
            return "the path is too long for a regular expression: such a request is refused"
        return None if groups else f"the path {segments.text} is not what {entry.pattern.pattern} matches"
    parts, names = entry.path.parts, segments.names
    fits = len(names) >= len(parts) if entry.path.rest else len(names) == len(parts)
    if fits and all(part is None or part == name for part, name in zip(parts, names, strict=False)):
        return None
    shown = "/" + "/".join("{}" if part is None else part.decode() for part in parts)
    return f"the path {segments.text} is not {'below ' if entry.path.rest else ''}{shown}"


def _condition_against(what: str, condition: Condition, given: list[bytes] | None) -> str:
    """Values are not shown: they may be secrets."""
    name = condition.name.decode()
    if not given:
        return f"the {what} {name} is absent"
    if condition.kind == "absent":
        return f"the {what} {name} is given, and must not be"
    return f"the {what} {name} does not have the wanted value ({condition.kind})"


def _shown_host(entry: Entry[T]) -> str:
    assert entry.host is not None  # noqa: S101 - asked for entries with a host only
    port = f":{entry.host.port.decode()}" if entry.host.port else ""
    return f"{'*' if entry.host.wildcard else ''}{entry.host.name.decode()}{port}"


def _why_first(first: Entry[T], second: Entry[T], method: bytes) -> str:
    names = (
        "its priority is higher",
        "its host is more specific",
        "its path is more specific",
        "it has more conditions",
    )
    for name, one, other in zip(names, first.rank, second.rank, strict=False):
        if one != other:
            return name
    if method == b"HEAD" and second.borrows_head and not first.borrows_head:
        return "it names HEAD"
    return "it comes first in the file"
