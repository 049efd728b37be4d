"""What the features of one entity at one moment are computed from."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from foregate.predict.history import COLUMN, Floats, Past, Usual, metrics_of
from foregate.wire.window import Tick, WindowStats

NOW_REQUESTS_MIN = 10  # with fewer in the last minute "now" is the last five minutes: quantiles of 3 requests are noise
TREND_METRICS: Final = ("rps", "error_rate", "p50_ms", "p95_ms", "mean_ms", "inflight_max", "concurrency")
_TREND_COLUMNS = [COLUMN[name] for name in TREND_METRICS]
TREND: Final = {name: index for index, name in enumerate(TREND_METRICS)}
_LONG_S, _SHORT_S = 900.0, 300.0
_GROWN = 1.15  # a minute counts as grown above 1.15 × usual: beyond the noise of a quantile


@dataclass(frozen=True, slots=True)
class View:
    """One entity at `tick.time_s`. Arrays are ordered like `METRICS`, trends like `TREND_METRICS`.

    `slope_5m`, `slope_15m`: least squares over the last 5 and 15 minutes, as a share of the usual level per minute
    (error_rate: absolute, per minute). `tau`: Kendall's rank correlation of the last 15 minutes with time, −1 to 1.
    `grown_…_min`: for how many minutes without a break p95 (and mean) have been above 1.15 × usual.
    """

    tick: Tick
    now: WindowStats
    values: Floats
    values_5m: Floats
    values_15m: Floats
    usual: Usual
    slope_5m: Floats
    slope_15m: Floats
    tau: Floats
    grown_p95_min: float
    grown_mean_min: float
    bad_last_hour: int

    def ratio(self, metric: str, floor: float) -> float:
        """The metric now against its usual level, both at least `floor` (in the metric's unit)."""
        i = COLUMN[metric]
        return float(max(self.values[i], floor) / max(self.usual.median[i], floor))

    def usual_of(self, metric: str) -> float:
        return float(self.usual.median[COLUMN[metric]])

    def value_of(self, metric: str) -> float:
        return float(self.values[COLUMN[metric]])


def view(tick: Tick, past: Past) -> View | None:
    """The view of an entity at a tick, None while its past has no usual level. Looks at nothing after the tick."""
    usual = past.usual()
    if usual is None:
        return None
    now = tick.w1 if tick.w1.requests >= NOW_REQUESTS_MIN else tick.w5
    values = np.array(metrics_of(now))
    times, rows = _recent(tick, past, values)
    scale = np.maximum(usual.median[_TREND_COLUMNS], _FLOORS)
    return View(
        tick=tick,
        now=now,
        values=values,
        values_5m=np.array(metrics_of(tick.w5)),
        values_15m=np.array(metrics_of(tick.w15)),
        usual=usual,
        slope_5m=_slope(times, rows, tick.time_s - _SHORT_S - 30) / scale,
        slope_15m=_slope(times, rows, tick.time_s - _LONG_S - 30) / scale,
        tau=_kendall(rows),
        grown_p95_min=_grown(times, rows[:, TREND["p95_ms"]], usual.median[COLUMN["p95_ms"]]),
        grown_mean_min=_grown(times, rows[:, TREND["mean_ms"]], usual.median[COLUMN["mean_ms"]]),
        bad_last_hour=past.bad_minutes(tick.time_s - 3600),
    )


# The smallest level worth dividing by: req/s, error rate (kept absolute), ms ×3, requests in flight ×2.
_FLOORS = np.array([0.05, 1.0, 1.0, 1.0, 1.0, 1.0, 0.05])


def _recent(tick: Tick, past: Past, values: Floats) -> tuple[Floats, Floats]:
    """Times (middle of the minute) and metrics of the last 15 minutes, the present last.

    A closed minute that overlaps the present one by more than half says the same thing twice and is left out.
    """
    starts, rows = past.recent(tick.time_s - _LONG_S - 60)
    earlier = starts <= tick.time_s - 90
    starts, rows = starts[earlier], rows[earlier]
    times = np.append(starts + 30, tick.time_s - 30)
    return times, np.vstack([rows[:, _TREND_COLUMNS], values[_TREND_COLUMNS]])


def _slope(times: Floats, rows: Floats, from_s: float) -> Floats:
    """Least-squares slope per minute of each column over the rows since `from_s`; 0 with fewer than three."""
    chosen = times >= from_s
    x = times[chosen] / 60.0
    if len(x) < 3:
        return np.zeros(rows.shape[1])
    x = x - x.mean()
    slope: Floats = (x @ rows[chosen]) / (x @ x)
    return slope


def _kendall(rows: Floats) -> Floats:
    """Kendall's tau-a of each column with time; 0 with fewer than four rows."""
    n = len(rows)
    if n < 4:
        return np.zeros(rows.shape[1])
    upper = np.triu_indices(n, 1)
    tau: Floats = np.sign(rows[upper[1]] - rows[upper[0]]).sum(axis=0) / len(upper[0])
    return tau


def _grown(times: Floats, values: Floats, usual: float) -> float:
    """Minutes since the values (the last one is now) were last not above 1.15 × usual; 0 when now is not."""
    calm = np.flatnonzero(values <= _GROWN * max(usual, 1.0))
    if len(calm) and calm[-1] == len(values) - 1:
        return 0.0
    since = times[calm[-1]] if len(calm) else times[0] - 60
    return float(min((times[-1] - since) / 60, 15.0))
