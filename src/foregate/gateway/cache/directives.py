"""Cache-Control and its kin, parsed (RFC 9111 section 5.2, RFC 9213, Edge Architecture 1.0). Pure.

Where a sender says a directive twice, or gives it a value that it cannot have, the strictest reading counts: whoever
is misread as too strict is asked once too often, and whoever is misread as too lax has told a stranger's secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from foregate.http1.headers import HeaderList

SECONDS_MAX = 1 << 31  # "a recipient that cannot represent it": what RFC 9111 section 1.2.2 has it taken for
OURS = b"foregate"  # as whom Surrogate-Control may target us
REMEMBERED_BYTES_MAX = 256  # of a field; what clients may make longer is parsed anew each time, and not held

_MEMBER = re.compile(rb'((?:[^,"]|"(?:[^"\\]|\\.)*"?)+)')
_DIGITS = re.compile(rb"[0-9]{1,32}")
_SF_KEY = re.compile(rb"[a-z*][a-z0-9_\-.*]*")
_SF_VALUE = re.compile(
    rb'-?[0-9]{1,12}\.[0-9]{1,3}|-?[0-9]{1,15}|"(?:[ !#-\[\]-~]|\\["\\])*"|\?[01]'
    rb"|[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*"
)
_SF_PARAMETERS = re.compile(rb"(?:; *[a-z*][a-z0-9_\-.*]*(?:=[^,;]*)?)*")


class Directives:
    """What one field says. A directive's values stand in their order, None for one without a value."""

    __slots__ = ("_values",)

    def __init__(self, members: Iterable[tuple[bytes, bytes | None]]) -> None:
        values: dict[bytes, list[bytes | None]] = {}
        for name, value in members:
            values.setdefault(name, []).append(value)
        self._values = values

    def __bool__(self) -> bool:
        return bool(self._values)

    def has(self, name: bytes) -> bool:
        """Whether it is there, with a value or without."""
        return name in self._values

    def whole(self, name: bytes) -> bool:
        """Whether it is there for the whole answer, and not for some fields of it alone (`no-cache="set-cookie"`)."""
        return any(not value for value in self._values.get(name, ()))

    def fields(self, name: bytes) -> frozenset[bytes]:
        """The lower-case field names that it is there for."""
        values = [value for value in self._values.get(name, ()) if value]
        return frozenset(part.strip() for value in values for part in value.lower().split(b",") if part.strip())

    def seconds(self, name: bytes) -> int | None:
        """Its delta-seconds: the smallest of several, 0 where one is none; None when it is not there."""
        values = self._values.get(name)
        return None if values is None else min(_seconds(value) for value in values)


NO_DIRECTIVES = Directives(())


def _seconds(value: bytes | None) -> int:
    return min(int(value), SECONDS_MAX) if value is not None and _DIGITS.fullmatch(value) else 0


def values_of(headers: HeaderList, name: bytes) -> bytes | None:
    """All values of a list field as one; None without any."""
    found = [value for key, value in headers if key == name]
    return None if not found else found[0] if len(found) == 1 else b", ".join(found)


def cache_control(value: bytes) -> Directives:
    """Cache-Control, of an answer or of a request."""
    return _known(value) if len(value) <= REMEMBERED_BYTES_MAX else Directives(_members(value))


@lru_cache(maxsize=1_024)  # most say one of a few things
def _known(value: bytes) -> Directives:
    return Directives(_members(value))


def _members(value: bytes) -> Iterable[tuple[bytes, bytes | None]]:
    for member in _MEMBER.findall(value):
        name, equals, text = member.partition(b"=")
        if not equals:
            yield name.strip().lower(), None
        elif text[:1] == b'"':  # blanks around "=" are none of the grammar's: such a number is no number
            yield name.strip().lower(), _unquoted(text.rstrip())
        else:
            yield name.strip().lower(), text.rstrip() if name == name.rstrip() else b" "


def _unquoted(text: bytes) -> bytes:
    inner = text[1:-1] if len(text) > 1 and text.endswith(b'"') else text[1:]
    return re.sub(rb"\\(.)", rb"\1", inner)


@lru_cache(maxsize=1_024)
def targeted(value: bytes) -> Directives | None:
    """A field such as CDN-Cache-Control: a dictionary of RFC 8941. None when it is none, or empty: then it does not
    count (RFC 9213 section 2.1)."""
    members: dict[bytes, bytes | None] = {}
    for part in _MEMBER.findall(value):
        member = part.strip()
        key = _SF_KEY.match(member)
        if key is None:
            return None
        rest, found = member[key.end() :], None
        if rest.startswith(b"="):
            text = _SF_VALUE.match(rest, 1)
            if text is None:
                return None
            found, rest = text[0], rest[text.end() :]
        if not _SF_PARAMETERS.fullmatch(rest):
            return None
        members[key[0]] = found  # of one that stands twice the last counts
    kept = [(name, None if value == b"?1" else value) for name, value in members.items() if value != b"?0"]
    return (
        Directives((name, _unquoted(v) if v and v[:1] == b'"' and name != b"max-age" else v) for name, v in kept)
        or None
    )


@lru_cache(maxsize=1_024)
def surrogate(value: bytes) -> Directives | None:
    """Surrogate-Control: what is for every surrogate or for us; None where nothing is.

    `max-age=600+60`: fresh for 600 s, and for 60 s more it may be given stale.
    """
    members: list[tuple[bytes, bytes | None]] = []
    for member in _MEMBER.findall(value):
        text, _, target = member.strip().partition(b";")
        if target and target.strip() != OURS:
            continue
        name, equals, number = text.strip().lower().partition(b"=")
        if name == b"max-age":
            fresh, plus, stale = number.partition(b"+")
            members.append((name, fresh))
            if plus:
                members.append((b"stale-while-revalidate", stale))
        else:
            members.append((name, number if equals else None))
    return Directives(members) if members else None


_KINDS = {b"surrogate-control": surrogate}


def effective(headers: HeaderList, targets: Sequence[bytes]) -> tuple[Directives, bool]:
    """(what the answer says to this cache, whether a field said it that is meant for such as us): the first of
    `targets` that counts, else Cache-Control. After a targeted field neither Cache-Control nor Expires counts."""
    for target in targets:
        value = values_of(headers, target)
        if value is not None and (found := _KINDS.get(target, targeted)(value)) is not None:
            return found, True
    value = values_of(headers, b"cache-control")
    return (NO_DIRECTIVES if value is None else cache_control(value)), False
