"""The quick way: types that decode a whole list of items whose names are known from one of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import msgspec
from msgspec import structs

from foregate.telemetry.formats.cleaning import KNOWN, SCALED
from foregate.telemetry.formats.items import Item

ITEMS_MIN = 100  # of a body that is worth a type of its own: making one costs about a millisecond
_NAMES_MAX = 64  # of such a type
_NAME_CHARS_MAX = 128
_TYPES_MAX = 64  # kept; beyond it the one that was not used for longest is made anew


def shape_of(document: object) -> type[Item] | None:
    """The type for items like this one; None where their names leave a choice, or their units differ."""
    if not isinstance(document, dict) or len(document) > _NAMES_MAX:
        return None
    names = [name for name in document if isinstance(name, str) and len(name) <= _NAME_CHARS_MAX]
    return _shape(tuple(sorted(names))) if len(names) == len(document) else None


@lru_cache(maxsize=_TYPES_MAX)
def _shape(names: tuple[str, ...]) -> type[Item] | None:
    said: dict[str, str] = {}  # field → its name here
    ignored: list[str] = []
    for name in names:
        if name in SCALED:
            return None
        field = KNOWN[name][0] if name in KNOWN else ""
        if field in said:
            return None  # two names of one field
        if field:
            said[field] = name
        else:
            ignored.append(name)
    fields: list[Any] = [
        (field.name, field.type, msgspec.field(name=said.get(field.name), default=field.default))
        for field in structs.fields(Item)
    ]
    raw = msgspec.Raw(b"")
    fields += [(f"ignored_{at}", msgspec.Raw, msgspec.field(name=name, default=raw)) for at, name in enumerate(ignored)]
    return cast("type[Item]", msgspec.defstruct("Shape", fields, gc=False, forbid_unknown_fields=True))
