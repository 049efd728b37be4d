"""What traffic, latency, error budget and cost will probably be."""

from typing import Literal

import msgspec

from foregate.wire.entity import Entity

Metric = Literal["requests", "p95_ms", "error_budget", "quota", "cost"]
ForecastState = Literal[
    "learning",  # too little history: no point
    "forecast",
    "constant",  # it has never been anything else: that value, without an interval's width
    "silent",  # nothing was measured lately
]


class ForecastPoint(msgspec.Struct, array_like=True, frozen=True):
    """The step that begins at `time_s`: the median, and the intervals that hold it in 80 and in 95 of 100 cases."""

    time_s: float
    median: float
    low80: float
    high80: float
    low95: float
    high95: float


class Backtest(msgspec.Struct, array_like=True, frozen=True):
    """How a model did on the series' own past, from several origins, each time knowing only what came before.

    `mase`: mean absolute error over that of a seasonal-naive forecast within the past (below 1: better than it);
    `pinball`: mean pinball loss over the quantiles of both intervals and the median, in the metric's unit. `held80`
    and `held95`: the share of values that lay in the intervals, made from origins that share none;
    None where there are none.
    """

    model: str
    mase: float | None  # None: the past is constant, there is nothing to divide by
    mae: float
    pinball: float
    held80: float | None
    held95: float | None


class Forecast(msgspec.Struct, frozen=True):
    """A forecast of one metric of one entity in steps of `step_s`, made at `made_s`.

    `model` won of `backtest`, in which "seasonal_naive" and "naive" always stand. Of all entities together service
    and route are "". `note` says what it lacks: "learning: 1 of 2 days", or that no adaptive models are installed.
    """

    made_s: float
    entity: Entity
    metric: Metric
    step_s: int
    state: ForecastState
    points: tuple[ForecastPoint, ...] = ()
    model: str = ""
    backtest: tuple[Backtest, ...] = ()
    origins: int = 0  # of the backtest
    judged_s: float = 0.0  # when it was made: it is made anew once a day
    days_seen: float = 0.0
    days_needed: float = 0.0
    note: str = ""
    broken: "Broken | None" = None


class Broken(msgspec.Struct, array_like=True, frozen=True):
    """When the error budget of `kind`, or a quota, is spent by this forecast: Unix seconds, None where not within it.

    `median_s`; `soonest_s` and `latest_s` are the ends of the interval of 80 %.
    """

    kind: str
    median_s: float | None
    soonest_s: float | None
    latest_s: float | None
