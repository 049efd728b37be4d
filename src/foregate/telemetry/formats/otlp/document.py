"""Export requests of OTLP as JSON.

OTLP/JSON has keys in lowerCamelCase, ids in hexadecimal, 64-bit integers as text or numbers, and enums as numbers; keys
in snake_case and the names of enums are taken, too. JSON has no framing: of a body that is cut off nothing is taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec

from foregate.kernel.errors import ForegateError
from foregate.telemetry.formats.options import Options
from foregate.telemetry.formats.otlp.origins import origin_of
from foregate.telemetry.formats.otlp.points import PointReader
from foregate.telemetry.formats.otlp.records import LogReader
from foregate.telemetry.formats.otlp.spans import SpanReader
from foregate.telemetry.formats.otlp.types import LogRecord, Logs, Metric, Metrics, Span, Traces
from foregate.telemetry.formats.parsed import Parsed, Sender
from foregate.telemetry.identity.conventions import Origin

_MARKS_MAX: Final = 2_000_000  # braces, brackets and commas of a body, which bound what it decodes to: body_too_large
_SNAKE: Final = re.compile(rb'"(?:resource|scope)_(?:spans|metrics|logs)"')
_UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_Decode = Callable[[bytes | msgspec.Raw], Any]
_Reader = SpanReader | PointReader | LogReader


class _Decoders(NamedTuple):
    """Of a whole request; of one whose items stay encoded; of an item."""

    request: _Decode
    pieces: _Decode
    item: _Decode


def _decoders(whole: Any, pieces: Any, item: Any) -> _Decoders:
    """Not strict: text may stand for a number."""
    return _Decoders(*(msgspec.json.Decoder(kind, strict=False).decode for kind in (whole, pieces, item)))


_TRACES: Final = _decoders(Traces[Span], Traces[msgspec.Raw], Span)
_METRICS: Final = _decoders(Metrics[Metric], Metrics[msgspec.Raw], Metric)
_LOGS: Final = _decoders(Logs[LogRecord], Logs[msgspec.Raw], LogRecord)


def _read(decoders: _Decoders, body: bytes, sender: Sender, options: Options, reader: _Reader) -> None:
    """Every item to `reader`; when the body does not decode at once, each by itself."""
    if sum(body.count(mark) for mark in (b"{", b"[", b",")) > _MARKS_MAX:
        raise ForegateError("body_too_large", "The body holds too many values; send it in parts.")
    request, decode = _decoded(decoders, body)
    left = options.items_max
    for resource in request.resources:
        origin = origin_of(resource.resource, sender)
        for scope in resource.scopes:
            left -= len(scope.items)
            if left < 0:
                raise ForegateError("body_too_large", f"A body may hold {options.items_max} items.")
            for item in scope.items:
                _take(reader, origin, item, decode)


def _decoded(decoders: _Decoders, body: bytes) -> tuple[Any, _Decode | None]:
    """The request, and what decodes its items where they are not."""
    try:
        if _SNAKE.search(body):
            body = msgspec.json.encode(_camel(msgspec.json.decode(body)))
        try:
            return decoders.request(body), None
        except _UNDECODABLE:
            return decoders.pieces(body), decoders.item
    except _UNDECODABLE as error:
        raise ForegateError("body_invalid", f"The body is no export request of OTLP: {error}"[:256]) from None


def _take(reader: _Reader, origin: Origin, item: Any, decode: _Decode | None) -> None:
    if decode is not None:
        try:
            item = decode(item)
        except _UNDECODABLE as error:
            reader.refuse(f"It cannot be decoded: {error}"[:256])
            return
    reader.take(origin, item)


def _camel(document: Any) -> Any:
    """With keys in lowerCamelCase. Names of attributes are no keys in OTLP."""
    if isinstance(document, dict):
        return {_camel_name(name): _camel(value) for name, value in document.items()}
    return [_camel(value) for value in document] if isinstance(document, list) else document


def _camel_name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join([word.capitalize() for word in rest])


def read_traces(body: bytes, sender: Sender, options: Options) -> Parsed:
    parsed = Parsed()
    _read(_TRACES, body, sender, options, SpanReader(sender, options, parsed))
    return parsed


def read_metrics(body: bytes, sender: Sender, options: Options) -> Parsed:
    """`index` of what is rejected counts data points; a metric that cannot be decoded counts as one."""
    parsed = Parsed()
    _read(_METRICS, body, sender, options, PointReader(sender, options, parsed))
    return parsed


def read_logs(body: bytes, sender: Sender, options: Options) -> Parsed:
    parsed = Parsed()
    _read(_LOGS, body, sender, options, LogReader(sender, options, parsed))
    return parsed
