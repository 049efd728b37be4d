"""Export requests of OTLP/JSON as types, whose fields have protobuf's names, so that the readers take either.

Source: OTLP specification, "JSON Protobuf Encoding", and the messages of opentelemetry-proto. Here is what is read.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

import msgspec

Item = TypeVar("Item")
Whole = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]  # uint64, less what no store has a place for
Int64 = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
Int32 = Annotated[int, msgspec.Meta(ge=-(1 << 31), le=(1 << 31) - 1)]


class _Camel(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """Keys are in lowerCamelCase."""


class AnyValue(_Camel, frozen=True):
    """`string_value` is "" where it has another kind of value, as in protobuf. Inner values are left as they are."""

    string_value: str = ""
    bool_value: bool | None = None
    int_value: Int64 | None = None
    double_value: float | None = None
    array_value: Any = None
    kvlist_value: Any = None
    bytes_value: str | None = None  # base64

    def which(self) -> str | None:
        for name in self.__struct_fields__[1:]:
            if getattr(self, name) is not None:
                return name
        return "string_value" if self.string_value else None


class KeyValue(_Camel, frozen=True):
    key: str = ""
    value: AnyValue = AnyValue()


class Resource(_Camel, frozen=True):
    attributes: list[KeyValue] = []


class Link(_Camel, frozen=True):
    trace_id: str = ""


class Event(_Camel, frozen=True):
    name: str = ""
    attributes: list[KeyValue] = []


class Status(_Camel, frozen=True):
    code: int | str = 0
    message: str = ""


class Span(_Camel, frozen=True):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    name: str = ""
    kind: int | str = 0
    start_time_unix_nano: Whole = 0
    end_time_unix_nano: Whole = 0
    attributes: list[KeyValue] = []
    events: list[Event] = []
    links: list[Link] = []
    status: Status = Status()


class LogRecord(_Camel, frozen=True):
    time_unix_nano: Whole = 0
    observed_time_unix_nano: Whole = 0
    severity_number: int | str = 0
    severity_text: str = ""
    body: AnyValue = AnyValue()
    attributes: list[KeyValue] = []
    trace_id: str = ""
    span_id: str = ""


class _Point(_Camel, frozen=True):
    start_time_unix_nano: Whole = 0
    time_unix_nano: Whole = 0
    flags: Whole = 0
    attributes: list[KeyValue] = []


class NumberDataPoint(_Point, frozen=True):
    as_double: float | None = None
    as_int: Int64 | None = None

    def which(self) -> str | None:
        return "as_double" if self.as_double is not None else "as_int" if self.as_int is not None else None


class HistogramDataPoint(_Point, frozen=True):
    count: Whole = 0
    sum: float = 0.0
    bucket_counts: list[Whole] = []
    explicit_bounds: list[float] = []


class Buckets(_Camel, frozen=True):
    offset: Int32 = 0
    bucket_counts: list[Whole] = []


class ExponentialHistogramDataPoint(_Point, frozen=True):
    count: Whole = 0
    sum: float = 0.0
    scale: Int32 = 0
    zero_count: Whole = 0
    zero_threshold: float = 0.0
    positive: Buckets = Buckets()
    negative: Buckets = Buckets()


class ValueAtQuantile(_Camel, frozen=True):
    quantile: float = 0.0
    value: float = 0.0


class SummaryDataPoint(_Point, frozen=True):
    count: Whole = 0
    sum: float = 0.0
    quantile_values: list[ValueAtQuantile] = []


class Gauge(_Camel, frozen=True):
    data_points: list[NumberDataPoint] = []


class Sum(_Camel, frozen=True):
    data_points: list[NumberDataPoint] = []
    aggregation_temporality: int | str = 0
    is_monotonic: bool = False


class Histogram(_Camel, frozen=True):
    data_points: list[HistogramDataPoint] = []
    aggregation_temporality: int | str = 0


class ExponentialHistogram(_Camel, frozen=True):
    data_points: list[ExponentialHistogramDataPoint] = []
    aggregation_temporality: int | str = 0


class Summary(_Camel, frozen=True):
    data_points: list[SummaryDataPoint] = []


class Metric(_Camel, frozen=True):
    name: str = ""
    unit: str = ""
    gauge: Gauge = Gauge()
    sum: Sum = Sum()
    histogram: Histogram = Histogram()
    exponential_histogram: ExponentialHistogram = ExponentialHistogram()
    summary: Summary = Summary()

    def which(self) -> str | None:
        kinds = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
        return next((kind for kind in kinds if getattr(self, kind).data_points), None)


class ScopeSpans(_Camel, Generic[Item], frozen=True):
    """`items`: however the signal calls them. They may be `msgspec.Raw`: not decoded yet."""

    items: list[Item] = msgspec.field(default_factory=list, name="spans")


class ScopeMetrics(_Camel, Generic[Item], frozen=True):
    items: list[Item] = msgspec.field(default_factory=list, name="metrics")


class ScopeLogs(_Camel, Generic[Item], frozen=True):
    items: list[Item] = msgspec.field(default_factory=list, name="logRecords")


class ResourceSpans(_Camel, Generic[Item], frozen=True):
    resource: Resource = Resource()
    scopes: list[ScopeSpans[Item]] = msgspec.field(default_factory=list, name="scopeSpans")


class ResourceMetrics(_Camel, Generic[Item], frozen=True):
    resource: Resource = Resource()
    scopes: list[ScopeMetrics[Item]] = msgspec.field(default_factory=list, name="scopeMetrics")


class ResourceLogs(_Camel, Generic[Item], frozen=True):
    resource: Resource = Resource()
    scopes: list[ScopeLogs[Item]] = msgspec.field(default_factory=list, name="scopeLogs")


class Traces(_Camel, Generic[Item], frozen=True):
    resources: list[ResourceSpans[Item]] = msgspec.field(default_factory=list, name="resourceSpans")


class Metrics(_Camel, Generic[Item], frozen=True):
    resources: list[ResourceMetrics[Item]] = msgspec.field(default_factory=list, name="resourceMetrics")


class Logs(_Camel, Generic[Item], frozen=True):
    resources: list[ResourceLogs[Item]] = msgspec.field(default_factory=list, name="resourceLogs")
