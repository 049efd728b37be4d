"""What is whole of a list whose end is missing, or of which a part cannot be read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

_STEPS_MAX = 1_000_000  # values looked at in damaged MessagePack, about half a second; what lies beyond is given up
_DEPTH_MAX = 64
_SALVAGED_BYTES_MAX = 4_194_304  # of damaged JSON, which takes a dozen times as much as values; the rest is given up
_SPACE = re.compile(r"[ \t\r\n]*")
_scan = json.JSONDecoder().raw_decode


@dataclass(slots=True)
class Found:
    """`documents` are to be taken one by one; then `why` says why there are no more, "" at the end of all."""

    documents: Iterator[Any]
    why: str = ""


def json_items(body: bytes, begins: int) -> Found:
    """Items of the array that begins at byte `begins`, up to the first that is not JSON (or ends the body)."""
    found = Found(iter(()))
    found.documents = _json_items(body[begins : begins + _SALVAGED_BYTES_MAX].decode("utf-8", "replace"), found)
    return found


def _json_items(text: str, found: Found) -> Iterator[Any]:
    at = _past_space(text, 0)
    if text[at : at + 1] != "[":
        found.why = "The body is not JSON."
        return
    at = _past_space(text, at + 1)
    while text[at : at + 1] not in ("", "]"):
        try:
            document, at = _scan(text, at)
        except (ValueError, RecursionError):
            found.why = f"From character {at} on the body is not JSON, or ends; nothing behind it was read."
            return
        yield document
        at = _past_space(text, at)
        if text[at : at + 1] == ",":
            at = _past_space(text, at + 1)
        elif text[at : at + 1] not in ("", "]"):
            found.why = f"From character {at} on the body is not JSON; nothing behind it was read."
            return
    if text[at : at + 1] != "]":
        found.why = "The body ends before its array does."
    elif _past_space(text, at + 1) < len(text):
        found.why = "Something follows the end of the array."


def _past_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def msgpack_array(body: bytes) -> tuple[int, int] | None:
    """How many items an array claims to have, and where the first begins; None when the body is no array."""
    first = body[0] if body else 0
    if 0x90 <= first <= 0x9F:
        return first & 0x0F, 1
    if first == 0xDC:
        return int.from_bytes(body[1:3], "big"), 3
    return (int.from_bytes(body[1:5], "big"), 5) if first == 0xDD else None


def msgpack_items(body: bytes) -> Found:
    """Items of an array, each by itself, up to the first that is not whole."""
    found = Found(iter(()))
    found.documents = _msgpack_items(body, found)
    return found


def _msgpack_items(body: bytes, found: Found) -> Iterator[Any]:
    claimed = msgpack_array(body)
    if claimed is None:
        found.why = "The body is no MessagePack of items."
        return
    count, at = claimed
    view, walk = memoryview(body), _Walk(body)
    for _ in range(count):
        end = walk.past(at)
        if end is None:
            found.why = f"From byte {at} on the body is no MessagePack, or ends; nothing behind it was read."
            return
        try:
            document = msgspec.msgpack.decode(view[at:end])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            document = error  # which is no object: rejected as such
        yield document
        at = end
    if at < len(body):
        found.why = "Something follows the end of the array."


class _Walk:
    """Finds where values of MessagePack end, without decoding them."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._steps = 0

    def past(self, at: int) -> int | None:
        """Where the value at `at` ends; None when it is not whole, or too much was looked at."""
        left = [1]
        while left:
            if left[-1] == 0:
                left.pop()
                continue
            left[-1] -= 1
            self._steps += 1
            if at >= len(self._body) or self._steps > _STEPS_MAX or len(left) > _DEPTH_MAX:
                return None
            size, inner = self._head(at)
            at += size
            if inner:
                left.append(inner)
        return at if at <= len(self._body) else None

    def _head(self, at: int) -> tuple[int, int]:
        """Bytes of the value itself, and how many values it contains (the specification's table of formats)."""
        first = self._body[at]
        if first < 0x80 or first >= 0xE0:
            return 1, 0
        if first < 0x90:
            return 1, 2 * (first & 0x0F)
        if first < 0xA0:
            return 1, first & 0x0F
        if first < 0xC0:
            return 1 + (first & 0x1F), 0
        if first in _FIXED:
            return _FIXED[first], 0
        width, extra, per = _SIZED.get(first, (0, 0, 0))
        length = int.from_bytes(self._body[at + 1 : at + 1 + width], "big")
        return (1 + width, per * length) if per else (1 + width + extra + length, 0)


_FIXED = {0xC0: 1, 0xC1: 1, 0xC2: 1, 0xC3: 1, 0xCA: 5, 0xCB: 9}
_FIXED |= {0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9}
_FIXED |= {0xD4: 3, 0xD5: 4, 0xD6: 6, 0xD7: 10, 0xD8: 18}
# First byte → bytes of the length, bytes between it and the content, values per unit of length (0: they are bytes)
_SIZED = {0xC4: (1, 0, 0), 0xC5: (2, 0, 0), 0xC6: (4, 0, 0), 0xC7: (1, 1, 0), 0xC8: (2, 1, 0), 0xC9: (4, 1, 0)}
_SIZED |= {0xD9: (1, 0, 0), 0xDA: (2, 0, 0), 0xDB: (4, 0, 0)}
_SIZED |= {0xDC: (2, 0, 1), 0xDD: (4, 0, 1), 0xDE: (2, 0, 2), 0xDF: (4, 0, 2)}
