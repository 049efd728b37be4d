"""Bodies of `POST /v1/telemetry`: a JSON array, one object, an object with `events`; lines of JSON; MessagePack."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from foregate.kernel.errors import ForegateError
from foregate.telemetry.formats import cut
from foregate.telemetry.formats.cleaning import cleaned, text
from foregate.telemetry.formats.items import Item, Unreadable, events_of
from foregate.telemetry.formats.options import Options
from foregate.telemetry.formats.parsed import Parsed, Sender
from foregate.telemetry.formats.shapes import ITEMS_MIN, shape_of

UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_OBJECTS_PER_ITEM_MAX = 4
_ITEM_BYTES_MAX = 262_144  # of one that goes the thorough way; a larger one is invalid, and not decoded
_COMMAS_PER_OBJECT_MAX = 64  # in a list with more, and with more than …
_COMMAS_MAX = 500_000  # … there is something else than items: it is read piece by piece
_EVENTS = re.compile(rb'"events"\s*:\s*(?=\[)')


class _Envelope(msgspec.Struct):
    events: msgspec.Raw
    batch_id: str | int = ""


class _Encoding:
    """How JSON and MessagePack are decoded, to the types that are needed."""

    def __init__(self, decode: Callable[..., Any], make: Callable[[Any], Any]) -> None:
        self.decode = decode
        self.make = make  # a decoder for a type
        self.items: Callable[[Any], list[Item]] = make(list[Item]).decode
        self.item: Callable[[Any], Item] = make(Item).decode
        self.raws: Callable[[Any], list[msgspec.Raw]] = make(list[msgspec.Raw]).decode
        self.envelope: Callable[[Any], _Envelope] = make(_Envelope).decode


_JSON = _Encoding(msgspec.json.decode, msgspec.json.Decoder)
_MSGPACK = _Encoding(msgspec.msgpack.decode, msgspec.msgpack.Decoder)
_lines_of_items = msgspec.json.Decoder(Item).decode_lines


class _Body:
    """A body on its way to `parsed`."""

    def __init__(self, encoding: _Encoding, sender: Sender, options: Options) -> None:
        self.encoding = encoding
        self.sender = sender
        self.options = options
        self.parsed = Parsed()

    def take(self, items: Sequence[Item], first: int) -> None:
        events_of(items, first, self.sender, self.options, self.parsed)

    def bound(self, items: int) -> None:
        if items > self.options.items_max:
            raise ForegateError("body_too_large", f"A body may hold {self.options.items_max} items.")

    def document(self, index: int, document: object) -> None:
        """The same, decoded."""
        try:
            item = cleaned(document)
        except Unreadable as why:
            self.parsed.reject("events", index, str(why))
        else:
            self.take((item,), index)

    def pieces(self, pieces: Sequence[Any], first: int, item: Callable[[Any], Item]) -> None:
        """Encoded items, each by itself: the quick way where it leads, else the thorough one."""
        for index, piece in enumerate(pieces, first):
            try:
                self.take((item(piece),), index)
            except UNDECODABLE:
                self.encoded(index, piece)

    def encoded(self, index: int, piece: Any) -> None:
        """One item the thorough way."""
        if memoryview(piece).nbytes > _ITEM_BYTES_MAX:
            self.parsed.reject("events", index, f"An item may have {_ITEM_BYTES_MAX} bytes.")
            return
        try:
            document = self.encoding.decode(piece)
        except UNDECODABLE as error:
            self.parsed.reject("events", index, f"It cannot be decoded: {error}")
        else:
            self.document(index, document)

    def array(self, array: Any, *, quick: bool) -> None:
        """An encoded list of items. Raises one of UNDECODABLE when it cannot be taken apart."""
        if quick:
            try:
                items = self.encoding.items(array)
            except UNDECODABLE:
                pass
            else:
                self.bound(len(items))
                self.take(items, 0)
                return
        raws = self.encoding.raws(array)
        self.bound(len(raws))
        item = self.encoding.item
        if quick and len(raws) >= ITEMS_MIN:
            shape = self.shape(raws[0])
            if shape is not None:
                item = self.encoding.make(shape).decode
                try:
                    items = self.encoding.make(list[shape]).decode(array)  # type: ignore[valid-type]
                except UNDECODABLE:
                    pass
                else:
                    self.take(items, 0)
                    return
        self.pieces(raws, 0, item if quick else _never)

    def shape(self, raw: bytes | msgspec.Raw) -> type[Item] | None:
        try:
            return shape_of(self.encoding.decode(raw))
        except UNDECODABLE:
            return None

    def salvage(self, found: cut.Found) -> Parsed:
        """What can be read of a body that is cut off, damaged, or holds what only the thorough way takes."""
        parsed = self.parsed = Parsed()
        index = 0
        for document in found.documents:
            self.bound(index + 1)
            self.document(index, document)
            index += 1
        if found.why and not parsed.events:
            raise ForegateError("body_invalid", found.why)
        if found.why:
            parsed.damaged = True
            parsed.reject("events", index, found.why)
        return parsed


def _never(piece: object) -> Item:
    raise msgspec.DecodeError


def read_json(body: bytes, sender: Sender, options: Options) -> Parsed:
    reading = _Body(_JSON, sender, options)
    objects = body.count(b"}")
    reading.bound(objects // _OBJECTS_PER_ITEM_MAX)
    quick = b"\\u0000" not in body
    try:
        if body.count(b",") > max(_COMMAS_MAX, _COMMAS_PER_OBJECT_MAX * (objects + 1)):
            raise msgspec.DecodeError
        return _whole(reading, body, body.lstrip()[:1] == b"[", quick=quick)
    except UNDECODABLE:
        begins = _EVENTS.search(body[:1_024]) if body.lstrip()[:1] == b"{" else None
        return reading.salvage(cut.json_items(body, begins.end() if begins else 0))


def _whole(reading: _Body, body: bytes, is_array: bool, *, quick: bool) -> Parsed:
    """An array, an envelope or one item. Raises one of UNDECODABLE for what is not whole."""
    if is_array:
        reading.array(body, quick=quick)
        return reading.parsed
    try:
        envelope = reading.encoding.envelope(body)
    except msgspec.ValidationError:
        reading.encoded(0, body)
        return reading.parsed
    reading.array(envelope.events, quick=quick)
    reading.parsed.batch_id = text(envelope.batch_id)
    return reading.parsed


def read_lines(body: bytes, sender: Sender, options: Options) -> Parsed:
    """A line that is no item costs no other; `index` is its number, from 1."""
    reading = _Body(_JSON, sender, options)
    reading.bound(body.count(b"\n") + (not body.endswith(b"\n")))
    lines = body.split(b"\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if b"\\u0000" not in body:
        for items in _quick_lines(reading, body, lines):
            if len(items) == len(lines):
                reading.take(items, 1)
                return reading.parsed
    for number, line in enumerate(lines, 1):
        if line.strip():
            reading.pieces((line,), number, reading.encoding.item if b"\\u0000" not in line else _never)
    if lines and not reading.parsed.events and len(reading.parsed.rejected) == reading.parsed.invalid.get("events"):
        _refuse_what_is_no_json(lines)
    return reading.parsed


def _quick_lines(reading: _Body, body: bytes, lines: Sequence[bytes]) -> Iterator[list[Item]]:
    """All lines by the types that may fit them."""
    try:
        yield _lines_of_items(body)
    except UNDECODABLE:
        shape = reading.shape(lines[0]) if len(lines) >= ITEMS_MIN else None
        if shape is not None:
            with contextlib.suppress(*UNDECODABLE):
                yield msgspec.json.Decoder(shape).decode_lines(body)


def _refuse_what_is_no_json(lines: Sequence[bytes]) -> None:
    """Raises ForegateError when not one line is JSON: it is a body of another kind."""
    for line in lines:
        try:
            msgspec.json.decode(line)
        except UNDECODABLE:
            continue
        return
    raise ForegateError("body_invalid", "No line of the body is JSON.")


def read_msgpack(body: bytes, sender: Sender, options: Options) -> Parsed:
    reading = _Body(_MSGPACK, sender, options)
    claimed = cut.msgpack_array(body)
    if claimed is not None:
        reading.bound(claimed[0])
    try:
        parsed = _whole(reading, body, claimed is not None, quick=True)
        if b"\0" in body and b"\\u0000" in msgspec.json.encode(parsed.events):  # a text with NUL: not often
            reading.parsed = Parsed()
            parsed = _whole(reading, body, claimed is not None, quick=False)
    except UNDECODABLE:
        return reading.salvage(cut.msgpack_items(body))
    return parsed
