"""A point of a metric, from wherever it was sent (OpenTelemetry's model, flattened)."""

from typing import Literal

import msgspec

from foregate.wire.event import Source

PointKind = Literal["gauge", "sum", "histogram", "summary"]


class Point(msgspec.Struct, array_like=True, frozen=True):
    """`value` of a gauge or sum; of a histogram or summary the sum of its `count` values.

    `delta`: it counts since the point before, not since `start_s`. A histogram has one more of `buckets` than of
    `bounds` (upper, inclusive); of a summary `bounds` are its quantiles (0 to 1) and `values` theirs.
    """

    org: str
    environment: str
    service: str
    name: str
    kind: PointKind
    time_s: float
    value: float
    unit: str = ""
    monotonic: bool = False
    delta: bool = False
    start_s: float = 0.0
    count: int = 0
    bounds: tuple[float, ...] = ()
    buckets: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    region: str = ""
    cloud: str = ""
    instance: str = ""
    source: Source = "otlp"
    attributes: dict[str, str] = {}


_encoder = msgspec.msgpack.Encoder()
encode_points = _encoder.encode
decode_points = msgspec.msgpack.Decoder(list[Point]).decode
