"""A filter as SQL. Values come as text; they are compared as what the field is."""

import math
from collections.abc import Sequence
from typing import Any

from foregate.adapters.sql.columns import Type, field
from foregate.adapters.sql.dialect import Bound
from foregate.kernel.errors import ForegateError
from foregate.wire.accounts import Kind
from foregate.wire.ask import Filter

_SIGNS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_ORDER = ("lt", "le", "gt", "ge")
_INTEGER_MAX = (1 << 63) - 1


def conditions(kind: Kind, filters: Sequence[Filter], bound: Bound) -> list[str]:
    """One condition per filter; all must hold. Raises ForegateError("invalid_parameter")."""
    return [_condition(kind, each, bound) for each in filters]


def _condition(kind: Kind, given: Filter, bound: Bound) -> str:
    name, of = field(kind, given.field)
    values = [_value(given, of, text) for text in given.values]
    if given.op in ("in", "not_in"):
        if not values:
            raise _refused(given, "needs at least one value")
        return f"{name} {'IN' if given.op == 'in' else 'NOT IN'} ({bound.each(values)})"
    if len(values) != 1:
        raise _refused(given, "takes exactly one value")
    if given.op in ("prefix", "contains"):
        if of != "text":
            raise _refused(given, "is for text")
        found = f"strpos({name}, {bound(values[0])})"
        return f"{found} = 1" if given.op == "prefix" else f"{found} > 0"
    if given.op in _ORDER and of not in ("integer", "real"):
        raise _refused(given, "is for numbers")
    return f"{name} {_SIGNS[given.op]} {bound(values[0])}"


def _value(given: Filter, of: Type, text: str) -> Any:
    if of == "text":
        return text
    if of == "boolean":
        if text not in ("true", "false"):
            raise _refused(given, "is true or false")
        return text == "true"
    try:
        number = int(text) if of == "integer" else float(text)
    except ValueError:
        raise _refused(given, f"takes numbers, not {text[:50]!r}") from None
    if not math.isfinite(number) or abs(number) > _INTEGER_MAX:
        raise _refused(given, "takes no such large numbers")
    return number


def _refused(given: Filter, why: str) -> ForegateError:
    return ForegateError("invalid_parameter", f"the filter {given.field[:50]} {given.op} {why}")
