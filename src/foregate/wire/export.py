"""Where foregate sends what it says of itself, by OTLP over HTTP."""

from typing import Annotated, Literal

from msgspec import Meta, field

from foregate.wire.settings import Seconds, Settings

_Header = Annotated[str, Meta(max_length=4_096)]
Signal = Literal["metrics", "traces", "logs"]


class Export(Settings, frozen=True):
    """An OpenTelemetry collector, or anything else that speaks OTLP/HTTP (protobuf): `<endpoint>/v1/metrics` and so on.

    Traces are those of the gateway's requests. `headers`: such as authorization, by reference to the environment.
    """

    endpoint: Annotated[str, Meta(pattern=r"^https?://[^\s@]+$", description="Such as http://127.0.0.1:4318.")]
    signals: Annotated[tuple[Signal, ...], Meta(min_length=1, max_length=3)] = ("metrics", "traces", "logs")
    headers: Annotated[dict[str, _Header], Meta(max_length=16)] = field(default_factory=dict)
    interval_s: Annotated[Seconds, Meta(description="Between two exports of metrics.")] = 15.0
