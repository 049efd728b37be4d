"""Mutated bodies of telemetry through the readers: no crash, nothing unbounded, and no good item lost to a bad one.

A case either changes bytes anywhere (then what comes out must be well formed, or a declared error), or only inside one
item of a format that has framing (then all the others must come out as they were).
"""

from __future__ import annotations

import functools
import gzip
import random
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import cramjam
import msgspec
from tests.fuzz.judge import Finding
from tests.telemetry.formats import making

from foregate.kernel.errors import ForegateError
from foregate.telemetry.formats import Parsed
from foregate.telemetry.formats.reading import Signal
from foregate.telemetry.formats.unpack import unpack
from foregate.wire.event import RequestEvent
from foregate.wire.log import LogRecord
from foregate.wire.point import Point
from foregate.wire.span import Span

ITEMS = 12
_BYTES_MAX = 262_144
_ITEM_BYTES_MAX = 90_000  # an item with all its attributes, encoded
_DECLARED = {"body_invalid", "body_too_large", "unsupported_media_type"}
_STRANGE = (
    b"", b"\0", b"\xff", b"\xff\xff\xff\xff", b"\x80" * 12, b"[", b"{" * 40, b"]", b"}", b'"', b"\\u0000", b"\\ud800",
    b"NaN", b"-1e999", b"null", b"9" * 400, b"\n", b"\xc1", b"\xdd\x7f\xff\xff\xff", b"\xdf\x7f\xff\xff\xff",
    b"\x0a\x00", b"\x0a\xff\xff\xff\xff\x0f", b"\x0b", b"\x12", b"\xed\xa0\x80", b"%2F", b'{"events":', b"__proto__",
)  # fmt: skip
_TEXT = "0123456789abcdef"
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class Good(NamedTuple):
    """A good body: what is in it, and where each item lies, where the format has framing."""

    signal: Signal
    content_type: str
    body: bytes
    items: list[Any]
    places: list[tuple[int, int]]


class Outcome(NamedTuple):
    """Items that were sent, that came out, and whether the body was refused."""

    sent: int
    taken: int
    refused: bool


def _items(parsed: Parsed) -> list[Any]:
    return [*(parsed.events if not parsed.spans else []), *parsed.spans, *parsed.points, *parsed.logs]


@functools.cache
def goods() -> tuple[Good, ...]:
    """One of every format."""
    items = [
        making.item(number, host=f"{number:02d}" + _TEXT, client=f"{number:02d}" + _TEXT) for number in range(ITEMS)
    ]
    requests: list[tuple[Signal, Any, str]] = [
        ("traces", making.traces(ITEMS), "spans"),
        ("metrics", making.metrics(ITEMS), "metrics"),
        ("logs", making.logs(ITEMS), "log_records"),
    ]
    found = [
        _good("telemetry", "application/json", making.as_json(items), _texts),
        _good("telemetry", "application/x-ndjson", making.as_lines(items), _lines),
        _good("telemetry", "application/msgpack", making.as_msgpack(items), _texts),
        _good("remote_write", "application/x-protobuf", making.samples(ITEMS).SerializeToString(), _series),
    ]
    for signal, request, name in requests:
        found.append(_good(signal, "application/json", making.as_otlp_json(request), lambda body: []))
        found.append(_good(signal, "application/x-protobuf", request.SerializeToString(), _otlp(request, name)))
    return tuple(found)


def _good(signal: Signal, kind: str, body: bytes, places: Callable[[bytes], list[tuple[int, int]]]) -> Good:
    items = _items(making.took(signal, kind, body))
    assert len(items) == ITEMS
    return Good(signal, kind, body, items, places(body))


def _texts(body: bytes) -> list[tuple[int, int]]:
    """A text of each item, inside its quotes or behind its length."""
    starts = [body.index(f"{number:02d}{_TEXT}".encode()) for number in range(ITEMS)]
    return [(start, start + 2 + len(_TEXT)) for start in starts]


def _lines(body: bytes) -> list[tuple[int, int]]:
    places, at = [], 0
    for line in body.split(b"\n"):
        places.append((at, at + len(line)))
        at += len(line) + 1
    return places


def _series(body: bytes) -> list[tuple[int, int]]:
    places, at = [], 0
    for series in making.samples(ITEMS).timeseries:
        length = series.ByteSize()
        places.append((at + 2, at + 2 + length))
        at += 2 + length
    return places


def _otlp(request: Any, name: str) -> Callable[[bytes], list[tuple[int, int]]]:
    def places(body: bytes) -> list[tuple[int, int]]:
        found = []
        for resource in request.ListFields()[0][1]:
            for scope in resource.ListFields()[1][1]:
                for one in getattr(scope, name):
                    encoded = one.SerializeToString()
                    start = body.index(encoded)
                    found.append((start, start + len(encoded)))
        return found

    return places


def case(seed: int) -> Outcome:
    """Raises Finding."""
    rng = random.Random(seed)
    good = rng.choice(goods())
    inside = bool(good.places) and rng.random() < 0.5
    at = rng.randrange(ITEMS)
    body = _inside(rng, good, at) if inside else _anywhere(rng, good.body)
    try:
        body = _packed(rng, body, damaged=not inside)
        parsed = making.took(good.signal, good.content_type, body)
        _well_formed(parsed)
        if inside:
            _others(good, at, parsed)
    except Exception as error:
        if isinstance(error, ForegateError) and error.spec.code in _DECLARED and not inside:
            return Outcome(ITEMS, 0, refused=True)
        what = f"{good.signal} {good.content_type}"
        raise Finding(f"seed {seed}: {what}: {type(error).__name__}: {error}\n{body!r}") from error
    return Outcome(ITEMS, parsed.items, refused=False)


def _anywhere(rng: random.Random, body: bytes) -> bytes:
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(body) + 1)
        kind = rng.randrange(6)
        if kind == 0:
            body = body[:at]
        elif kind == 1:
            body = body[:at] + rng.choice(_STRANGE) + body[at:]
        elif kind == 2:
            body = body[:at] + rng.randbytes(rng.randrange(1, 5)) + body[at + rng.randrange(5) :]
        elif kind == 3:
            body = body[:at] + body[at + rng.randrange(1, 30) :]
        elif kind == 4:
            body = body[:at] + body[rng.randrange(len(body) + 1) :][:500] + body[at:]
        else:
            body = body[:at] + bytes([body[at % len(body)] ^ 1 << rng.randrange(8)]) + body[at + 1 :] if body else b"x"
        body = body or b"x"
    return body


def _inside(rng: random.Random, good: Good, at: int) -> bytes:
    """Bytes of one item changed: as many as there were, and none that ends a line or a text."""
    start, stop = good.places[at]
    changed = bytearray(good.body[start:stop])
    for _ in range(rng.randrange(1, 8)):
        byte = rng.randrange(256)
        if good.content_type == "application/json":
            byte = byte if byte >= 0x20 and byte not in b'"\\' else 0x41
        elif byte == 0x0A:
            byte = 0x0B
        changed[rng.randrange(len(changed))] = byte
    return good.body[:start] + bytes(changed) + good.body[stop:]


def _packed(rng: random.Random, body: bytes, *, damaged: bool) -> bytes:
    """Through an encoding and back, now and then with damage on the way."""
    encoding = rng.choice(("", "", "gzip", "zstd", "snappy"))
    if encoding == "gzip":
        body = gzip.compress(body, 1)
    elif encoding == "zstd":
        body = bytes(cramjam.zstd.compress(body, 1))
    elif encoding == "snappy":
        body = bytes(cramjam.snappy.compress_raw(body))
    if encoding and damaged and rng.random() < 0.5:
        body = _anywhere(rng, body)
    return unpack(body, encoding, _BYTES_MAX)


def _well_formed(parsed: Parsed) -> None:
    """Everything can be said on the bus, within its bounds, and is read there as it is; the sums agree."""
    kinds: tuple[tuple[list[Any], Any], ...] = (
        (parsed.events, RequestEvent),
        (parsed.spans, Span),
        (parsed.logs, LogRecord),
        (parsed.points, Point),
    )
    for items, kind in kinds:
        encoded = msgspec.msgpack.encode(items)
        assert len(encoded) <= _ITEM_BYTES_MAX * len(items) + 5, "an item has no bound"
        assert msgspec.msgpack.decode(encoded, type=list[kind]) == items, "an item is not what its type says"
        assert not _NUL.search(msgspec.json.encode(items)), "a text holds NUL"
    assert len(parsed.rejected) == min(sum(parsed.invalid.values()), 100)
    assert all(one.reason for one in parsed.rejected)


def _others(good: Good, at: int, parsed: Parsed) -> None:
    found = _items(parsed)
    others = good.items[:at] + good.items[at + 1 :]
    without = found[:at] + found[at + 1 :] if len(found) == ITEMS else found
    assert without == others, f"damage inside item {at} has cost or changed another"
    assert len(found) + len(parsed.rejected) >= ITEMS, "an item has vanished"
