"""Export requests of OTLP as protobuf. What is damaged costs only the smallest message around it that is whole.

ExportTraceServiceRequest, ExportMetricsServiceRequest and ExportLogsServiceRequest have the same shape, and the same
field numbers: 1 a Resource* of 1 a Resource and 2 several Scope*, of 2 several items.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Protocol

from google.protobuf.message import DecodeError
from opentelemetry.proto.logs.v1.logs_pb2 import ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import ScopeMetrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

from foregate.kernel.errors import ForegateError
from foregate.telemetry.formats.framing import MESSAGE_BYTES_MAX, Body, Run, Walk, runs
from foregate.telemetry.formats.options import Options
from foregate.telemetry.formats.otlp.origins import origin_of
from foregate.telemetry.formats.otlp.points import PointReader
from foregate.telemetry.formats.otlp.records import LogReader
from foregate.telemetry.formats.otlp.spans import SpanReader
from foregate.telemetry.formats.parsed import Parsed, Sender
from foregate.telemetry.identity.conventions import Origin

_RESOURCES_MAX = 10_000  # of a body, and scopes: one with more is refused, body_too_large
_RESOURCE_BYTES_MAX = 16_384  # a larger one is not decoded
_DAMAGED = "It is no message of OTLP, or cut off."


class _Reader(Protocol):
    def take(self, origin: Origin, said: Any) -> None: ...

    def refuse(self, reason: str) -> None: ...


class _Request:
    """An export request on its way to a reader. `scope` is the type that holds its items, in field `items`."""

    def __init__(self, body: bytes, sender: Sender, options: Options, reader: _Reader, scope: Any, items: str) -> None:
        self._body = Body(body)
        self._sender = sender
        self._items_left = options.items_max
        self._scopes_left = _RESOURCES_MAX
        self._reader = reader
        self._scope = scope
        self._items = items

    def read(self, parsed: Parsed) -> Parsed:
        walk = Walk(self._body, 0, len(self._body.data))
        while (frame := walk.frame()) is not None:
            if frame.number == 1:
                self._resource(frame.start, frame.stop)
        if walk.damaged_at >= 0:
            parsed.damaged = True
            if not parsed.invalid:
                self._reader.refuse(_DAMAGED)
            if not parsed.items:
                raise ForegateError("body_invalid", "The body is no export request of OTLP, or cut off.")
        return parsed

    def _resource(self, start: int, stop: int) -> None:
        """A Resource*; one that is cut off counts for what it has."""
        scopes: list[tuple[int, int]] = []
        resource = b""
        walk = Walk(self._body, start, stop)
        while (frame := walk.frame()) is not None:
            if frame.number == 1:
                resource = self._body.data[frame.start : frame.stop]
            elif frame.number == 2:
                scopes.append((frame.start, frame.stop))
                self._count_scope()
        self._count_scope()
        origin = self._origin(resource)
        for begin, end in scopes:
            found, damaged_at = runs(self._body, begin, end, 2)
            for run in found:
                self._run(origin, run)
            if damaged_at >= 0:
                self._reader.refuse(_DAMAGED)
        if walk.damaged_at >= 0 and not scopes:
            self._reader.refuse(_DAMAGED)

    def _count_scope(self) -> None:
        self._scopes_left -= 1
        if self._scopes_left < 0:
            raise ForegateError("body_too_large", f"A body may hold {_RESOURCES_MAX} resources and scopes.")

    def _origin(self, resource: bytes) -> Origin:
        if len(resource) > _RESOURCE_BYTES_MAX:
            resource = b""
        try:
            return _origin(resource, self._sender.environment, self._sender.region, self._sender.cloud)
        except (DecodeError, UnicodeDecodeError):  # its items are good: they come from somewhere
            return _origin(b"", self._sender.environment, self._sender.region, self._sender.cloud)

    def _run(self, origin: Origin, run: Run) -> None:
        self._items_left -= run.messages
        if self._items_left < 0:
            raise ForegateError("body_too_large", "The body holds too many items; send it in parts.")
        if run.stop - run.start > MESSAGE_BYTES_MAX:
            self._reader.refuse(f"It has more than {MESSAGE_BYTES_MAX} bytes.")
            return
        try:
            said = getattr(self._scope.FromString(self._body.data[run.start : run.stop]), self._items)
        except (DecodeError, UnicodeDecodeError):
            if run.messages == 1:
                self._reader.refuse(_DAMAGED)
            else:
                self._items_left += run.messages
                self._apart(origin, run)
            return
        take = self._reader.take
        for one in said:
            take(origin, one)

    def _apart(self, origin: Origin, run: Run) -> None:
        """Each of a run by itself."""
        walk = Walk(self._body, run.start, run.stop)
        while (frame := walk.frame()) is not None:
            self._run(origin, Run(frame.tag_at, frame.stop, 1))


@lru_cache(maxsize=1_024)  # of at most 16 KiB each, usually some hundred bytes: a sender has few
def _origin(resource: bytes, environment: str, region: str, cloud: str) -> Origin:
    return origin_of(Resource.FromString(resource), Sender("", 0.0, environment, region, cloud))


def read_traces(body: bytes, sender: Sender, options: Options) -> Parsed:
    parsed = Parsed()
    reader = SpanReader(sender, options, parsed)
    return _Request(body, sender, options, reader, ScopeSpans, "spans").read(parsed)


def read_metrics(body: bytes, sender: Sender, options: Options) -> Parsed:
    parsed = Parsed()
    reader = PointReader(sender, options, parsed)
    return _Request(body, sender, options, reader, ScopeMetrics, "metrics").read(parsed)


def read_logs(body: bytes, sender: Sender, options: Options) -> Parsed:
    parsed = Parsed()
    reader = LogReader(sender, options, parsed)
    return _Request(body, sender, options, reader, ScopeLogs, "log_records").read(parsed)
