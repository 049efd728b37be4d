"""Settings of journeys and logs: what is kept, and for how long."""

from typing import Annotated, Literal

from msgspec import Meta

from foregate.wire.settings import Settings

KeptBecause = Literal["error", "slow", "rare", "share"]


class Journeys(Settings, frozen=True):
    """Which traces are kept whole, once they are quiet: those with errors, the slow, the rare, and some of the rest."""

    enabled: bool = True  # without it spans and events are archived alone
    share: Annotated[float, Meta(ge=0, le=1)] = 0.1  # of the rest; a hash of the trace id decides
    rest_per_minute_max: Annotated[int, Meta(ge=0)] = 600  # of the rest; beyond it the share sinks
    slow_quantile: Annotated[float, Meta(ge=0.5, lt=1)] = 0.99  # slower than so many of its own route is slow
    rare_s: Annotated[float, Meta(gt=0, le=86_400)] = 600.0  # a route or call not seen for so long is rare
    quiet_s: Annotated[float, Meta(gt=0, le=300)] = 10.0  # without a new span for so long a trace is decided …
    age_s_max: Annotated[float, Meta(gt=0, le=3_600)] = 120.0  # … and at this age anyway
    open_traces_max: Annotated[int, Meta(ge=100)] = 100_000  # beyond it the quietest are decided early, and counted
    open_bytes_max: Annotated[int, Meta(ge=1_048_576)] = 268_435_456  # likewise
    spans_per_trace_max: Annotated[int, Meta(ge=10, le=100_000)] = 2_000  # further ones are cut; the trace is marked
    retention_days: Annotated[float, Meta(gt=0, le=3_650)] = 7.0
    journeys_bytes_max: Annotated[int, Meta(ge=16_777_216)] = 4_294_967_296  # beyond it the oldest are deleted


class Logs(Settings, frozen=True):
    """How long log records are kept, and how many."""

    retention_days: Annotated[float, Meta(gt=0, le=3_650)] = 14.0
    logs_bytes_max: Annotated[int, Meta(ge=16_777_216)] = 17_179_869_184  # who has most loses its oldest first
