"""Attributes of either encoding as bounded text."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, Final

import msgspec

ATTRIBUTES_MAX: Final = 64  # of an item; further ones are dropped
KEY_CHARS_MAX: Final = 128
VALUE_CHARS_MAX: Final = 1_024
_DEPTH_MAX: Final = 8  # of arrays and maps; what is deeper is "…"
_INNER_MAX: Final = 64  # values of one array or map; what is beyond is "…"
_MORE: Final = "…"
_INT64: Final = re.compile(r"-?[0-9]{1,19}")


def attributes_of(pairs: Iterable[Any], chars_max: int = VALUE_CHARS_MAX) -> dict[str, str]:
    """The first `ATTRIBUTES_MAX`; of a key that comes twice the last. Values that are no text are written as JSON."""
    found: dict[str, str] = {}
    for pair in islice(pairs, ATTRIBUTES_MAX):
        value = pair.value
        text = value.string_value
        if not text:
            text = str(value.int_value) if value.int_value else text_of(value, chars_max)
        key = pair.key
        if len(key) > KEY_CHARS_MAX or len(text) > chars_max or "\0" in key or "\0" in text:
            key, text = bounded(key, KEY_CHARS_MAX), bounded(text, chars_max)
        if key:
            found[key] = text
    return found


def bounded(text: str, chars_max: int) -> str:
    """Cut, and without NUL, which not every store can keep."""
    return text[:chars_max].replace("\0", "\ufffd")


def text_of(value: Any, chars_max: int = VALUE_CHARS_MAX) -> str:
    """An AnyValue as text: a string as it is, anything else as JSON; "" of an empty one."""
    said = plain(value, 0)
    if said is None:
        return ""
    text = said if isinstance(said, str) else msgspec.json.encode(said).decode()
    return bounded(text, chars_max)


def plain(value: Any, depth: int) -> Any:
    """An AnyValue, of protobuf or of JSON, as the plain value that it stands for."""
    which = value.WhichOneof("value") if hasattr(value, "WhichOneof") else value.which()
    if which is None:
        return None
    said = getattr(value, which)
    if which == "string_value":
        return said[:VALUE_CHARS_MAX]
    if which == "bytes_value":
        return base64.b64encode(said[:VALUE_CHARS_MAX]).decode() if isinstance(said, bytes) else said[:VALUE_CHARS_MAX]
    if which == "double_value":
        return said if math.isfinite(said) else str(said)
    if which not in ("array_value", "kvlist_value"):
        return said
    if isinstance(said, dict):  # of JSON: what is inside was left as it is
        return _plain_document({which: said}, depth)
    return _plain_inner(which, said.values, depth, plain)


def _plain_inner(which: str, values: Any, depth: int, inner: Callable[[Any, int], Any]) -> Any:
    """Of an array or a map, as much as is wanted."""
    if depth >= _DEPTH_MAX:
        return _MORE
    more = [_MORE] if len(values) > _INNER_MAX else []
    if which == "array_value":
        return [inner(value, depth + 1) for value in values[:_INNER_MAX]] + more
    return {pair.key[:KEY_CHARS_MAX]: inner(pair.value, depth + 1) for pair in values[:_INNER_MAX]}


def _plain_document(document: Any, depth: int) -> Any:
    """The same of an AnyValue that is still a JSON object."""
    if not isinstance(document, dict) or len(document) != 1:
        return None
    ((name, said),) = document.items()
    which = str(name).replace("_", "").lower()
    if which not in ("arrayvalue", "kvlistvalue"):
        if isinstance(said, str):
            return int(said) if which == "intvalue" and _INT64.fullmatch(said) else said[:VALUE_CHARS_MAX]
        return said if isinstance(said, bool | int | float) else None
    values = said.get("values") if isinstance(said, dict) else None
    if not isinstance(values, list):
        return None
    if which == "arrayvalue":
        return _plain_inner("array_value", values, depth, _plain_document)
    if depth >= _DEPTH_MAX:
        return _MORE
    pairs = [pair for pair in values[:_INNER_MAX] if isinstance(pair, dict)]
    return {str(pair.get("key", ""))[:KEY_CHARS_MAX]: _plain_document(pair.get("value"), depth + 1) for pair in pairs}
