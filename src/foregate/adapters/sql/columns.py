"""The columns of each kind, as they follow from the messages: a field added to a message is a column more.

Plain values are columns of their type. What is no plain value (attributes, links, buckets, `ai`) is JSON in a text
column.
"""

import types
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple, TypeGuard, Union, get_origin, get_type_hints

import msgspec

from foregate.kernel.errors import ForegateError
from foregate.wire.accounts import Kind
from foregate.wire.event import RequestEvent
from foregate.wire.point import Point
from foregate.wire.span import Span

Type = Literal["text", "integer", "real", "boolean", "json"]
MESSAGES: Mapping[str, type[msgspec.Struct]] = {"events": RequestEvent, "spans": Span, "points": Point}
TIMES: Mapping[str, str] = {"events": "time_s", "spans": "start_ns", "points": "time_s"}  # what items are ordered by
PER_SECOND: Mapping[str, int] = {"events": 1, "spans": 1_000_000_000, "points": 1}  # of the column above
_PLAIN: Mapping[type, Type] = {str: "text", int: "integer", float: "real", bool: "boolean"}
_CLASSES = " ".join(f"WHEN status BETWEEN {n}00 AND {n}99 THEN '{n}xx'" for n in range(1, 6))
STATUS_CLASS = f"CASE {_CLASSES} ELSE 'other' END"


class Column(NamedTuple):
    """`default`: what an item has that was stored before there was the field. Of JSON its text, and it
    is stored as null."""

    name: str
    type: Type
    default: Any

    @property
    def stored_default(self) -> Any:
        return None if self.type == "json" else self.default


@cache
def columns(kind: Kind) -> Sequence[Column]:
    """Those of a kind, in the order of its message."""
    message = MESSAGES[kind]
    hints = get_type_hints(message)
    return tuple(_column(field.name, hints[field.name], field.default) for field in msgspec.structs.fields(message))


def _column(name: str, hint: Any, default: Any) -> Column:
    found = _type(hint)
    if default is msgspec.NODEFAULT:
        default = {"text": "", "integer": 0, "real": 0.0, "boolean": False, "json": None}[found]
    return Column(name, found, msgspec.json.encode(default).decode() if found == "json" else default)


def _type(hint: Any) -> Type:
    if get_origin(hint) is Literal:
        return "text"
    if get_origin(hint) in (Union, types.UnionType) or hint not in _PLAIN:
        return "json"
    return _PLAIN[hint]


def kept(kind: Kind) -> TypeGuard[Kind]:
    """Whether there are columns for the kind: logs have a store of their own."""
    return kind in MESSAGES


def field(kind: Kind, name: str) -> tuple[str, Type]:
    """The SQL of a field that may be asked for, and its type. Raises ForegateError("invalid_parameter")."""
    if name == "status_class" and kind == "events":
        return STATUS_CLASS, "text"
    found = next((column for column in columns(kind) if column.name == name and column.type != "json"), None)
    if found is None:
        raise ForegateError("invalid_parameter", f"{kind} have no field {name[:50]!r} that can be asked for")
    return f'"{found.name}"', found.type
