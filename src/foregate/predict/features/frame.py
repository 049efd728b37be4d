"""What features are computed from: n moments, each with the trailing hour of its entity and what is usual for it.

Live, the moments are the entities of one tick; in a recording they are the minutes of many. The code is the same.
"""

from collections.abc import Callable, Hashable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foregate.predict.season import SEASON
from foregate.predict.usual import COLUMN, METRIC, Floats, Usual, is_bad, metrics_of

WINDOW_MINUTES: Final = 60
NOW_REQUESTS_MIN: Final = 10  # with fewer in the last minute "now" is the last five: quantiles of 3 requests are noise
GROWN: Final = 1.15  # a minute counts as grown above 1.15 × usual: beyond the noise of a quantile
BLOCK_MINUTES: Final = 5


class Frame:
    """Moments. `rows` (n, C, 60): minutes in the order of `wire.minutes.COLUMNS`, the last one ends at the moment; NaN
    where not known. `usual`, `season`: the entity's levels, see `predict.usual` and `predict.season`. `time_s` (n,).
    `around` (n, len(AROUND)): how those it depends on, and its own service's other routes, are doing.

    Everything derived is computed once, when it is asked for.
    """

    def __init__(self, rows: Floats, usual: Usual, season: Floats, time_s: NDArray[np.float64], around: Floats) -> None:
        self.rows, self.usual, self.season, self.time_s, self.around = rows, usual, season, time_s, around
        self._known: dict[Hashable, Floats] = {}

    def __len__(self) -> int:
        return len(self.time_s)

    def once(self, key: Hashable, make: Callable[[], Floats]) -> Floats:
        """What `make` gives, remembered under `key`; there are as many keys as formulas, whoever asks."""
        value = self._known.get(key)
        if value is None:
            value = self._known[key] = make()
        return value

    def column(self, name: str, span: int = WINDOW_MINUTES) -> Floats:
        """The last `span` minutes of a column, (n, span)."""
        values: Floats = self.rows[:, COLUMN[name], -span:]
        return values

    def count(self, name: str, span: int) -> Floats:
        """How many in the last `span` minutes, (n,); NaN where no minute of them is known."""
        return self.once(("count", name, span), lambda: _sum(self.column(name, span)))

    def share(self, name: str, span: int) -> Floats:
        """Of the requests of the last `span` minutes, (n,); NaN without requests."""
        return self.once(("share", name, span), lambda: _ratio(self.count(name, span), self.count("requests", span)))

    def level(self, name: str, span: int) -> Floats:
        """The mean of a latency over the last `span` minutes, weighted by requests, (n,); NaN where not measured."""

        def make() -> Floats:
            values, requests = self.column(name, span), self.column("requests", span)
            weight = np.where(np.isnan(values), np.float32(0), requests)
            return _ratio(np.nansum(values * weight, axis=1), np.nansum(weight, axis=1))

        return self.once(("level", name, span), make)

    def mean(self, name: str, span: int) -> Floats:
        """The plain mean of the last `span` minutes that are known, (n,)."""
        return self.once(("mean", name, span), lambda: _mean(self.column(name, span)))

    def peak(self, name: str, span: int) -> Floats:
        """The highest minute of the last `span`, (n,); NaN where none is known."""

        def make() -> Floats:
            values = self.column(name, span)
            highest = np.where(np.isnan(values), -np.inf, values).max(axis=1)
            return np.where(np.isfinite(highest), highest, np.float32(np.nan))

        return self.once(("peak", name, span), make)

    @property
    def sparse(self) -> NDArray[np.bool_]:
        """Where the last minute has too few requests for quantiles, (n,)."""
        return ~(self.count("requests", 1) >= NOW_REQUESTS_MIN)

    def _either(self, key: str, of: Callable[[int], Floats]) -> Floats:
        return self.once(("now", key), lambda: np.where(self.sparse, of(5), of(1)))

    def now(self, metric: str) -> Floats:
        """A metric of `usual.METRICS` in the last minute, or the last five where that has too few requests, (n,)."""
        if metric.endswith("_ms"):
            return self._either(metric, lambda span: self.level(metric, span))
        return self._either(metric, lambda span: self.span(metric, span))

    def span(self, metric: str, span: int) -> Floats:
        """A metric of `usual.METRICS` over the last `span` minutes, (n,)."""
        if metric.endswith("_ms"):
            return self.level(metric, span)
        if metric == "inflight_max":
            return self.mean(metric, span)
        if metric == "rps":
            return self.mean("requests", span) / np.float32(60)
        if metric == "concurrency":
            return self.span("rps", span) * self.level("mean_ms", span) / np.float32(1000)
        return self.share(_COUNTED[metric], span)

    def median(self, metric: str) -> Floats:
        return self.usual.median[:, METRIC[metric]]

    def spread(self, metric: str) -> Floats:
        return self.usual.spread[:, METRIC[metric]]

    def calm(self, metric: str) -> Floats:
        return self.usual.calm[:, METRIC[metric]]

    def worst(self, metric: str) -> Floats:
        return self.usual.worst[:, METRIC[metric]]

    def seasonal(self, metric: str) -> Floats:
        return self.season[:, SEASON[metric]]

    def metrics(self) -> Floats:
        """All metrics by minute, (n, len(METRICS), 60)."""
        return self.once("metrics", lambda: metrics_of(self.rows))

    def trail(self, metric: str, span: int) -> Floats:
        """A metric by minute over the last `span`, (n, span)."""
        values: Floats = self.metrics()[:, METRIC[metric], -span:]
        return values

    def blocks(self, metric: str) -> Floats:
        """Means of the hour's blocks of five minutes, oldest first, (n, 12)."""

        def make() -> Floats:
            values = self.trail(metric, WINDOW_MINUTES)
            return _mean(values.reshape(len(values), -1, BLOCK_MINUTES), axis=2)

        return self.once(("blocks", metric), make)

    def slope(self, metric: str, span: int) -> Floats:
        """Least squares over the last `span` minutes, in the metric's unit per minute, (n,); of an hour by blocks."""

        def make() -> Floats:
            if span == WINDOW_MINUTES:
                return _slope(self.blocks(metric)) / np.float32(BLOCK_MINUTES)
            return _slope(self.trail(metric, span))

        return self.once(("slope", metric, span), make)

    def line(self, name: str, span: int) -> Floats:
        """Least squares through the last `span` minutes of a column: where it stands now, and what it gains a minute,
        (n, 2); (NaN, 0) where none is known."""
        return self.once(("line", name, span), lambda: _line(self.column(name, span)))

    def tau(self, metric: str, span: int) -> Floats:
        """Kendall's tau-a with time, −1 to 1, (n,); of an hour by blocks."""
        return self.once(
            ("tau", metric, span),
            lambda: _kendall(self.blocks(metric) if span == WINDOW_MINUTES else self.trail(metric, span)),
        )

    def grown(self, metric: str) -> Floats:
        """For how many minutes without a break the metric has been above 1.15 × usual, 0 when it is not now, (n,).

        NaN where it is not known now, or what is usual is not.
        """

        def make() -> Floats:
            limit = np.float32(GROWN) * np.maximum(self.median(metric), 1.0)
            above = self.trail(metric, WINDOW_MINUTES) > limit[:, None]
            calm = ~above[:, ::-1]
            grown = np.where(calm.any(axis=1), calm.argmax(axis=1), WINDOW_MINUTES).astype(np.float32)
            known = ~np.isnan(self.now(metric)) & ~np.isnan(self.median(metric))
            return np.where(known, grown, np.float32(np.nan))

        return self.once(("grown", metric), make)

    def bad_minutes(self) -> Floats:
        """Failing minutes of the last hour, (n,)."""
        return self.once("bad", lambda: is_bad(self.rows).sum(axis=1).astype(np.float32))

    def since(self, mark: str) -> Floats:
        """Minutes since the last mark (a deploy, a change), `WINDOW_MINUTES` when there was none in the hour, (n,)."""

        def make() -> Floats:
            marked = self.column(mark)[:, ::-1] > 0
            return np.where(marked.any(axis=1), marked.argmax(axis=1), WINDOW_MINUTES).astype(np.float32)

        return self.once(("since", mark), make)

    def latest(self, name: str) -> Floats:
        """The newest known value of the last five minutes, (n,)."""

        def make() -> Floats:
            values = self.column(name, 5)[:, ::-1]
            first = (~np.isnan(values)).argmax(axis=1)
            newest: Floats = np.take_along_axis(values, first[:, None], axis=1)[:, 0]
            return newest

        return self.once(("latest", name), make)


_COUNTED: Final = {
    "error_rate": "errors",
    "client_share": "client_errors",
    "retry_share": "retries",
    "limited_share": "limited",
}


def _sum(values: Floats) -> Floats:
    known = ~np.isnan(values)
    return np.where(known.any(axis=1), np.where(known, values, 0).sum(axis=1), np.float32(np.nan)).astype(np.float32)


def _mean(values: Floats, axis: int = 1) -> Floats:
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0).sum(axis=axis), known.sum(axis=axis))


def _ratio(of: NDArray[np.floating], base: NDArray[np.floating] | NDArray[np.integer]) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        out: Floats = np.where(base > 0, of / base, np.nan).astype(np.float32)
    return out


def _slope(values: Floats) -> Floats:
    """Per step, with gaps left out; 0 with fewer than three values."""
    slope: Floats = _line(values)[:, 1]
    return slope


def _line(values: Floats) -> Floats:
    """(level at the last step, slope per step), (n, 2), with gaps left out; of fewer than three values their mean."""
    known = ~np.isnan(values)
    n = known.sum(axis=1)
    x = np.where(known, np.arange(values.shape[1], dtype=np.float32), 0)
    y = np.where(known, values, 0)
    x_mean, y_mean = x.sum(axis=1) / np.maximum(n, 1), y.sum(axis=1) / np.maximum(n, 1)
    dx = np.where(known, x - x_mean[:, None], 0)
    spread = (dx * dx).sum(axis=1)
    slope = np.where(n >= 3, (dx * (y - y_mean[:, None])).sum(axis=1) / np.maximum(spread, 1e-9), 0)
    level = np.where(n > 0, y_mean + slope * (values.shape[1] - 1 - x_mean), np.nan)
    return np.stack([level, slope], axis=1).astype(np.float32)


def _kendall(values: Floats) -> Floats:
    """0 with fewer than four values."""
    low, high = np.triu_indices(values.shape[1], 1)
    order = np.sign(values[:, high] - values[:, low])
    pairs = (~np.isnan(order)).sum(axis=1)
    return np.where(pairs >= 6, np.nansum(order, axis=1) / np.maximum(pairs, 1), 0).astype(np.float32)
