"""What a rule asks beyond host and path: methods, header fields, parameters of the query.

A field or parameter that is given several times satisfies a condition when one of its values does; "absent" wants
none. Values are compared byte for byte, those of the query decoded; a regular expression must match the whole value.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from foregate.gateway.match.regexes import REGEX_TEXT_MAX, compile_regex
from foregate.http1.headers import HeaderList
from foregate.wire.match import ConditionKind, HeaderRule, QueryRule

Values = dict[bytes, list[bytes]]
_NONE: list[bytes] = []


class Asked:
    """What conditions look at beside the method, each read at most once and only when one asks."""

    __slots__ = ("_fields", "_headers", "_parameters", "_query")

    def __init__(self, query: bytes, headers: HeaderList) -> None:
        self._query = query
        self._headers = headers
        self._fields: Values | None = None
        self._parameters: Values | None = None

    @property
    def fields(self) -> Values:
        if self._fields is None:
            self._fields = {}
            for name, value in self._headers:
                self._fields.setdefault(name, []).append(value)
        return self._fields

    @property
    def parameters(self) -> Values:
        if self._parameters is None:
            self._parameters = {}
            for pair in self._query.split(b"&"):
                if pair:
                    name, _, value = pair.partition(b"=")
                    self._parameters.setdefault(_decoded(name), []).append(_decoded(value))
        return self._parameters


class Condition(NamedTuple):
    """A compiled HeaderRule or QueryRule."""

    name: bytes
    kind: ConditionKind
    value: bytes
    pattern: re.Pattern[str] | None

    def holds(self, given: Values) -> bool:
        values = given.get(self.name, _NONE)
        if self.kind == "absent":
            return not values
        return any(self._takes(value) for value in values)

    def _takes(self, value: bytes) -> bool:
        if self.kind == "exact":
            return value == self.value
        if self.kind == "prefix":
            return value.startswith(self.value)
        if self.pattern is not None:
            return len(value) <= REGEX_TEXT_MAX and self.pattern.fullmatch(value.decode("utf-8", "replace")) is not None
        return True  # present


def header_condition(rule: HeaderRule) -> Condition:
    return _condition(rule, rule.name.lower().encode())


def query_condition(rule: QueryRule) -> Condition:
    return _condition(rule, rule.name.encode())


def _condition(rule: HeaderRule | QueryRule, name: bytes) -> Condition:
    pattern = compile_regex(rule.value) if rule.kind == "regex" else None
    return Condition(name, rule.kind, rule.value.encode(), pattern)


def _decoded(part: bytes) -> bytes:
    return unquote_to_bytes(part.replace(b"+", b" "))
