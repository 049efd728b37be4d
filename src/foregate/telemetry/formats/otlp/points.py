"""Metrics of OTLP → `wire.point.Point`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from foregate.kernel.errors import ForegateError
from foregate.telemetry.formats.items import LONG_CHARS_MAX, TIME_S_MIN
from foregate.telemetry.formats.options import Options
from foregate.telemetry.formats.otlp.values import attributes_of, bounded
from foregate.telemetry.formats.parsed import Parsed, Sender
from foregate.telemetry.identity.conventions import Origin
from foregate.wire.event import Source
from foregate.wire.point import Point, PointKind

BUCKETS_MAX: Final = 512  # of a histogram; one with more is invalid
_VALUES_MAX: Final = 64  # quantiles of a summary
_COUNT_MAX: Final = (1 << 63) - 1  # what is larger has no place in every store
_NO_VALUE: Final = 1  # DataPointFlags: "no recorded value"
_DELTA: Final = (1, "AGGREGATION_TEMPORALITY_DELTA")
_UNIT_CHARS_MAX: Final = 64
_SCALES: Final = range(-10, 21)  # of exponential histograms (the specification's limits)


class _Refused(Exception):
    """Why a point is invalid."""


class PointReader:
    """One body's points, to `into`. `index` counts them, good or not."""

    def __init__(self, sender: Sender, options: Options, into: Parsed) -> None:
        self._sender = sender
        self._into = into
        self._items_max = options.items_max
        self._source: Source = "otlp" if sender.source == "telemetry" else sender.source
        self._latest_s = sender.received_s + options.ahead_s_max
        self.index = 0

    def refuse(self, reason: str) -> None:
        self._into.reject("points", self.index, reason)
        self._count()

    def _count(self) -> None:
        """A metric may have any number of points, a body may not."""
        self.index += 1
        if self.index > self._items_max:
            raise ForegateError("body_too_large", f"A body may hold {self._items_max} points.")

    def take(self, origin: Origin, said: Any) -> None:
        """`said`: a Metric of protobuf or of JSON, with all its points. One without any counts as an invalid one."""
        before = self.index
        which = said.WhichOneof("data") if hasattr(said, "WhichOneof") else said.which()
        points = getattr(said, which).data_points if which else ()
        for point in points:
            if which == "gauge":
                self._number(origin, said, point, "gauge")
            elif which == "sum":
                self._number(origin, said, point, "sum", said.sum)
            elif which == "summary":
                self._one(origin, said, point, "summary", *_summary(point))
            else:
                self._histogram(origin, said, point, getattr(said, which))
        if self.index == before:
            self.refuse("Its metric has no points of a kind that is known.")

    def _number(self, origin: Origin, metric: Any, point: Any, kind: PointKind, of: Any = None) -> None:
        which = point.WhichOneof("value") if hasattr(point, "WhichOneof") else point.which()
        value = float(getattr(point, which)) if which else math.nan
        self._one(origin, metric, point, kind, value, of=of)

    def _histogram(self, origin: Origin, metric: Any, point: Any, of: Any) -> None:
        try:
            bounds, buckets = _buckets(point)
        except _Refused as why:
            self.refuse(str(why))
            return
        self._one(origin, metric, point, "histogram", point.sum, bounds, buckets, of=of)

    def _one(
        self,
        origin: Origin,
        metric: Any,
        point: Any,
        kind: PointKind,
        value: float,
        bounds: tuple[float, ...] = (),
        buckets: tuple[int, ...] = (),
        values: tuple[float, ...] = (),
        of: Any = None,
    ) -> None:
        time_s, start_s = point.time_unix_nano / 1e9, point.start_time_unix_nano / 1e9
        reason = self._reason(metric, point, value, time_s)
        if reason:
            self.refuse(reason)
            return
        attributes = attributes_of(point.attributes)
        if origin.kept:
            attributes = {**origin.kept, **attributes}
        self._into.points.append(
            Point(
                self._sender.org,
                origin.environment,
                origin.service,
                bounded(metric.name, LONG_CHARS_MAX),
                kind,
                time_s or self._sender.received_s,
                value,
                bounded(metric.unit, _UNIT_CHARS_MAX),
                kind == "sum" and bool(of.is_monotonic),
                of is not None and of.aggregation_temporality in _DELTA,
                start_s if TIME_S_MIN <= start_s <= self._latest_s else 0.0,
                min(getattr(point, "count", 0), _COUNT_MAX),
                bounds,
                buckets,
                values,
                origin.region,
                origin.cloud,
                origin.instance,
                self._source,
                attributes,
            )
        )
        self._count()

    def _reason(self, metric: Any, point: Any, value: float, time_s: float) -> str:
        """Why it is invalid, or ""."""
        if not metric.name:
            return "Its metric has no name."
        if point.flags & _NO_VALUE:
            return "It says that it has no value."
        if not math.isfinite(value):
            return "Its value is no finite number."
        if time_s and not TIME_S_MIN <= time_s <= self._latest_s:
            return "Its time lies before the year 2000." if time_s < TIME_S_MIN else "It lies ahead."
        return ""


def _buckets(point: Any) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Upper bounds and counts, of which there is one more. Raises _Refused."""
    if hasattr(point, "scale"):
        return _exponential(point)
    bounds, buckets = point.explicit_bounds, point.bucket_counts
    if len(bounds) >= BUCKETS_MAX or len(buckets) > BUCKETS_MAX:
        raise _Refused(f"It has more than {BUCKETS_MAX} buckets.")
    if not buckets and not bounds:
        return (), ()
    if len(buckets) != len(bounds) + 1:
        raise _Refused("It must have one more of bucket counts than of bounds.")
    return _checked(tuple(bounds), tuple(buckets))


def _checked(bounds: tuple[float, ...], buckets: tuple[int, ...]) -> tuple[tuple[float, ...], tuple[int, ...]]:
    if bounds and bounds[-1] == math.inf:
        bounds, buckets = bounds[:-1], (*buckets[:-2], buckets[-2] + buckets[-1])
    if any(not math.isfinite(bound) for bound in bounds):
        raise _Refused("A bound is no finite number.")
    if any(low >= high for low, high in pairwise(bounds)):
        raise _Refused("Its bounds are not in order.")
    return bounds, tuple([min(max(count, 0), _COUNT_MAX) for count in buckets])


def _exponential(point: Any) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """The same, of a histogram whose bounds are powers of 2^(2^-scale) ("exponential histogram", OTel data model)."""
    below, above = point.negative, point.positive
    if len(below.bucket_counts) + len(above.bucket_counts) + 2 > BUCKETS_MAX:
        raise _Refused(f"It has more than {BUCKETS_MAX} buckets.")
    if point.scale not in _SCALES:
        raise _Refused("Its scale is not between -10 and 20.")
    near = max(point.zero_threshold, 0.0)
    bounds: list[float] = []
    counts: list[int] = []
    for at in range(len(below.bucket_counts) - 1, -1, -1):  # from the most negative; a bucket is [-b^(i+1), -b^i)
        bounds.append(-_power(point.scale, below.offset + at))
        counts.append(below.bucket_counts[at])
    first = _power(point.scale, above.offset) if len(above.bucket_counts) else near
    bounds.append(max(near, first))
    counts.append(point.zero_count)
    for at, count in enumerate(above.bucket_counts):
        bounds.append(_power(point.scale, above.offset + at + 1))
        counts.append(count)
    return _checked(tuple(bounds), (*counts, 0))


def _power(scale: int, index: int) -> float:
    exponent: float = index * 2.0**-scale
    if not -1_000.0 < exponent < 1_000.0:
        raise _Refused("A bound of it is no number.")
    return float(2.0**exponent)


def _summary(point: Any) -> tuple[float, tuple[float, ...], tuple[int, ...], tuple[float, ...]]:
    """Its sum, its quantiles, no buckets, and the quantiles' values."""
    said: Sequence[Any] = point.quantile_values[:_VALUES_MAX]
    finite = [one for one in said if math.isfinite(one.value) and 0 <= one.quantile <= 1]
    return point.sum, tuple([one.quantile for one in finite]), (), tuple([one.value for one in finite])
