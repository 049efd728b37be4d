"""Prometheus remote write 1.0: samples of time series → `wire.point.Point` (message prometheus.WriteRequest).

The label `job` is the service, `instance` the instance, `__name__` the metric. Names that by convention count
(`_total`, `_count`, `_sum`, `_bucket`) are monotonic sums, all others gauges: the protocol does not say. NaN is no
sample: it ends a series, or stands for the quantile of nothing, and comes with almost every request.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from foregate.kernel.errors import ForegateError
from foregate.telemetry.formats.framing import MESSAGE_BYTES_MAX, Body, Run, Walk, runs
from foregate.telemetry.formats.items import LONG_CHARS_MAX, TEXT_CHARS_MAX, TIME_S_MIN
from foregate.telemetry.formats.options import Options
from foregate.telemetry.formats.otlp.values import ATTRIBUTES_MAX, KEY_CHARS_MAX, VALUE_CHARS_MAX, bounded
from foregate.telemetry.formats.parsed import Parsed, Sender
from foregate.wire.point import Point

_SERIES: Final = 1  # the field of WriteRequest; 3 is metadata
_COUNTING: Final = ("_total", "_count", "_sum", "_bucket")
_ENVIRONMENT: Final = ("environment", "env", "deployment_environment_name", "deployment_environment")
_REGION: Final = ("region", "cloud_region")
_CLOUD: Final = ("cloud", "cloud_provider")
_NO_SERVICE: Final = "unknown_service"
_LABELS_CHARS_MAX: Final = 33_554_432  # of all points: labels come once per series, and are stored with every sample
_TYPES: Final = descriptor_pb2.FieldDescriptorProto
# Message → its fields: name, number, type; a name of a message for a repeated one. Others are passed over.
_MESSAGES: Final[Mapping[str, tuple[tuple[str, int, Any], ...]]] = {
    "Label": (("name", 1, _TYPES.TYPE_STRING), ("value", 2, _TYPES.TYPE_STRING)),
    "Sample": (("value", 1, _TYPES.TYPE_DOUBLE), ("timestamp", 2, _TYPES.TYPE_INT64)),
    "TimeSeries": (("labels", 1, "Label"), ("samples", 2, "Sample"), ("histograms", 4, "Sample")),
    "WriteRequest": (("timeseries", _SERIES, "TimeSeries"),),
}


@lru_cache(maxsize=1)
def _write_request() -> Any:
    """The message type, made of `_MESSAGES`."""
    file = descriptor_pb2.FileDescriptorProto(name="foregate_remote_write.proto", package="foregate.remote_write")
    file.syntax = "proto3"
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            if isinstance(kind, str):
                message.field.add(
                    name=field, number=number, type=_TYPES.TYPE_MESSAGE, label=_TYPES.LABEL_REPEATED,
                    type_name=f".{file.package}.{kind}",
                )  # fmt: skip
            else:
                message.field.add(name=field, number=number, type=kind, label=_TYPES.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.WriteRequest"))


class _Samples:
    """One body's samples, to `parsed`. `index` counts them, good or not."""

    def __init__(self, body: bytes, sender: Sender, options: Options) -> None:
        self._body = Body(body)
        self._sender = sender
        self._left = options.items_max
        self._chars_left = _LABELS_CHARS_MAX
        self._latest_s = sender.received_s + options.ahead_s_max
        self.parsed = Parsed()
        self.index = 0

    def read(self) -> int:
        """Where the body is damaged, or -1."""
        found, damaged_at = runs(self._body, 0, len(self._body.data), _SERIES)
        for run in found:
            self.run(run)
        return damaged_at

    def refuse(self, reason: str) -> None:
        self.parsed.reject("points", self.index, reason)
        self.index += 1

    def run(self, run: Run) -> None:
        """Some series; each by itself where they cannot be decoded together."""
        if run.stop - run.start > MESSAGE_BYTES_MAX:
            self.refuse(f"Its series has more than {MESSAGE_BYTES_MAX} bytes.")
            return
        try:
            request = _write_request().FromString(self._body.data[run.start : run.stop])
        except (DecodeError, UnicodeDecodeError):
            if run.messages == 1:
                self.refuse("Its series is not decodable.")
                return
            walk = Walk(self._body, run.start, run.stop)
            while (frame := walk.frame()) is not None:
                self.run(Run(frame.tag_at, frame.stop, 1))
            return
        for series in request.timeseries:
            self._series(series)

    def _series(self, series: Any) -> None:
        self._left -= len(series.samples) + len(series.histograms)
        if self._left < 0:
            raise ForegateError("body_too_large", "The body holds too many samples; send it in parts.")
        labels = {
            bounded(label.name, KEY_CHARS_MAX): bounded(label.value, VALUE_CHARS_MAX)
            for label in series.labels[:ATTRIBUTES_MAX]
        }
        self._chars_left -= len(series.samples) * sum([len(key) + len(value) for key, value in labels.items()])
        if self._chars_left < 0:
            raise ForegateError("body_too_large", "Its samples have too many labels; send it in parts.")
        name = labels.pop("__name__", "")[:LONG_CHARS_MAX]
        service = labels.pop("job", "") or _NO_SERVICE
        instance = labels.pop("instance", "")
        counting = name.endswith(_COUNTING)
        sender = self._sender
        where = (
            _first(labels, _ENVIRONMENT) or sender.environment,
            service[:TEXT_CHARS_MAX],
            _first(labels, _REGION) or sender.region,
            _first(labels, _CLOUD) or sender.cloud,
            instance[:TEXT_CHARS_MAX],
        )
        for sample in series.samples:
            value, time_s = sample.value, sample.timestamp / 1e3
            if math.isnan(value):
                self.index += 1
                continue
            if reason := self._reason(name, value, time_s):
                self.refuse(reason)
                continue
            self.parsed.points.append(
                Point(
                    sender.org,
                    where[0],
                    where[1],
                    name,
                    "sum" if counting else "gauge",
                    time_s,
                    value,
                    monotonic=counting,
                    region=where[2],
                    cloud=where[3],
                    instance=where[4],
                    source=sender.source,
                    attributes=labels,
                )
            )
            self.index += 1
        if not series.samples and not series.histograms:
            self.refuse("Its series has no samples.")
        for _ in series.histograms:
            self.refuse("Native histograms are not taken; classic ones are.")

    def _reason(self, name: str, value: float, time_s: float) -> str:
        """Why a sample is invalid, or ""."""
        if not name:
            return "Its series has no __name__."
        if math.isinf(value):
            return "Its value is infinite."
        if not TIME_S_MIN <= time_s <= self._latest_s:
            return "Its time lies before the year 2000." if time_s < TIME_S_MIN else "It lies ahead."
        return ""


def read_samples(body: bytes, sender: Sender, options: Options) -> Parsed:
    """`body`: a WriteRequest, no longer in snappy."""
    reading = _Samples(body, sender, options)
    damaged_at = reading.read()
    if damaged_at >= 0:
        reading.parsed.damaged = True
        reading.refuse(f"From byte {damaged_at} on the body is no WriteRequest, or ends.")
        if not reading.parsed.points:
            raise ForegateError("body_invalid", "The body is no WriteRequest.")
    return reading.parsed


def _first(labels: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((labels[name][:TEXT_CHARS_MAX] for name in names if labels.get(name)), "")
