"""Whether two services answered the same. Pure.

JSON is compared as values: the order of members does not matter, numbers are equal as numbers. What is reported are
places, never values: those may be secrets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from foregate.http1.headers import HeaderList, find

DIFFERENCES_MAX = 5  # named; one is enough to know that they differ
IGNORED_MAX = 1_000  # places that differ and may; beyond it the answers count as different: it is done on the loop
DEPTH_MAX = 64  # of JSON; what lies deeper is compared as text
_decode = msgspec.json.Decoder().decode


class Answered(NamedTuple):
    """What is compared of an answer. `body`: None where it was larger than what is held of it."""

    status: int
    headers: HeaderList
    body: bytes | None


def differences(one: Answered, other: Answered, headers: Sequence[bytes], ignore: Sequence[str]) -> list[str]:
    """Where they differ: "status", "header content-type", "/items/0/price", "body"; empty where they are the same.

    `ignore`: JSON pointers (RFC 6901) of members that may differ; `*` stands for any member or element.
    """
    found = ["status"] if one.status != other.status else []
    found += [f"header {name.decode()}" for name in headers if find(one.headers, name) != find(other.headers, name)]
    if one.body == other.body or one.body is None or other.body is None:
        if (one.body is None) != (other.body is None):
            found.append("body")
        return found[:DIFFERENCES_MAX]
    values = _json(one), _json(other)
    if None in values:
        return [*found, "body"][:DIFFERENCES_MAX]
    patterns = [tuple(pointer.split("/")[1:]) for pointer in ignore]
    try:
        for number, place in enumerate(_places(values[0], values[1], ())):
            if number >= IGNORED_MAX:
                found.append("body")
                break
            if not any(_covers(pattern, place) for pattern in patterns):
                found.append("".join(f"/{part}" for part in place) or "body")
                if len(found) >= DIFFERENCES_MAX:
                    break
    except RecursionError:  # at the edge of what can be read
        found.append("body")
    return found


def _json(answer: Answered) -> Any:
    """Its body as a value in a tuple, None when it is no JSON."""
    kind = (find(answer.headers, b"content-type") or b"").partition(b";")[0].strip().lower()
    if kind != b"application/json" and not kind.endswith(b"+json"):
        return None
    try:
        return (_decode(answer.body or b""),)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def _places(one: Any, other: Any, at: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Where two values differ, the outermost places."""
    if at == ():
        one, other = one[0], other[0]
    if len(at) < DEPTH_MAX and isinstance(one, dict) and isinstance(other, dict):
        for name in [*one, *(name for name in other if name not in one)]:
            if (there := (name in one) and (name in other)) and _alike(one[name], other[name]):
                continue
            place = (*at, name.replace("~", "~0").replace("/", "~1"))
            if there:
                yield from _places(one[name], other[name], place)
            else:
                yield place
    elif len(at) < DEPTH_MAX and isinstance(one, list) and isinstance(other, list):
        for index in range(max(len(one), len(other))):
            if (there := index < len(one) and index < len(other)) and _alike(one[index], other[index]):
                continue
            place = (*at, str(index))
            if there:
                yield from _places(one[index], other[index], place)
            else:
                yield place
    elif one != other or isinstance(one, bool) is not isinstance(other, bool):
        yield at


def _alike(one: Any, other: Any) -> bool:
    """Whether two values are plainly the same. Most are, and the worker has others waiting: no generator for those."""
    kind = type(one)
    return kind is type(other) and kind is not dict and kind is not list and bool(one == other)


def _covers(pattern: tuple[str, ...], place: tuple[str, ...]) -> bool:
    """Whether `pattern` names this place, or one that it lies in."""
    return len(pattern) <= len(place) and all(part in ("*", there) for part, there in zip(pattern, place, strict=False))
