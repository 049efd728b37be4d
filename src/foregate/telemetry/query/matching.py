"""Filters on single events in memory, as `adapters.sql.filters` has them on stored ones."""

from collections.abc import Callable, Sequence
from math import isfinite, nan
from operator import eq, ge, gt, le, lt, ne
from typing import Any

import msgspec

from foregate.kernel.errors import ForegateError
from foregate.wire.ask import Filter
from foregate.wire.event import RequestEvent

Holds = Callable[[RequestEvent], bool]
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {"eq": eq, "ne": ne, "lt": lt, "le": le, "gt": gt, "ge": ge}
_TYPES = {field.name: field.type for field in msgspec.structs.fields(RequestEvent)}
FIELDS = ("status_class", *(name for name in _TYPES if name != "ai"))


def matcher(filters: Sequence[Filter]) -> Holds:
    """Whether an event passes all of them. Raises ForegateError("invalid_parameter")."""
    conditions = [_condition(given) for given in filters]
    return lambda event: all(holds(event) for holds in conditions)


def _condition(given: Filter) -> Holds:
    if given.field not in FIELDS:
        raise ForegateError("invalid_parameter", f"filter: {given.field[:50]!r} is none of {', '.join(FIELDS)}.")
    value_of = _status_class if given.field == "status_class" else _getter(given.field)
    of = _TYPES.get(given.field, str)
    number = of if of in (int, float) else None
    values = tuple(_number(given, number, text) if number else text for text in given.values)
    if given.op in ("in", "not_in"):
        found = frozenset(values)
        return (
            (lambda event: value_of(event) in found) if given.op == "in" else lambda event: value_of(event) not in found
        )
    if len(values) != 1:
        raise _refused(given, "takes exactly one value")
    return _of_one(given, value_of, values[0], number is not None)


def _of_one(given: Filter, value_of: Callable[[RequestEvent], Any], value: Any, is_number: bool) -> Holds:
    if given.op in ("prefix", "contains"):
        if is_number:
            raise _refused(given, "is for text")
        if given.op == "prefix":
            return lambda event: value_of(event).startswith(value)
        return lambda event: value in value_of(event)
    if given.op in ("lt", "le", "gt", "ge") and not is_number:
        raise _refused(given, "is for numbers")
    compare = _COMPARED[given.op]
    return lambda event: compare(value_of(event), value)


def _getter(name: str) -> Callable[[RequestEvent], Any]:
    return lambda event: getattr(event, name)


def _status_class(event: RequestEvent) -> str:
    return f"{event.status // 100}xx" if 100 <= event.status < 600 else "other"


def _number(given: Filter, of: type, text: str) -> float:
    try:
        number: float = of(text)
    except ValueError:
        number = nan
    if not isfinite(number):
        raise _refused(given, f"takes numbers, not {text[:50]!r}")
    return number


def _refused(given: Filter, why: str) -> ForegateError:
    return ForegateError("invalid_parameter", f"filter: {given.field[:50]} {given.op} {why}.")
