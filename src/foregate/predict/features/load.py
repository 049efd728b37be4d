"""Load: saturation, traffic, refusals, and failures of the recent past."""

import math
from typing import Final

from foregate.predict.features.feature import Feature, Formula, Sentence, bounded
from foregate.predict.features.view import TREND, View
from foregate.predict.features.words import against_usual, count, percent, rate
from foregate.predict.history import COLUMN
from foregate.wire.window import WindowStats

_RPS_FLOOR = 0.05  # three requests a minute


def _over(metric: str, floor: float) -> Formula:
    return lambda v: bounded(v.ratio(metric, floor), 0.02, 30)


def _inflight_sentence(view: View) -> str:
    value = f"{view.now.inflight_max}"
    usual = f"{view.usual_of('inflight_max'):.0f}"
    return against_usual("the most requests in flight at once", value, view.ratio("inflight_max", 1.0), usual)


def _concurrency_sentence(view: View) -> str:
    value, usual = count(view.value_of("concurrency")), count(view.usual_of("concurrency"))
    ratio = view.ratio("concurrency", _RPS_FLOOR)
    return against_usual("mean concurrency (requests/s × latency)", value, ratio, usual)


def _inflight_z(view: View) -> float:
    """(value − median) / spread, the spread at least the square root of the median, and 1 request."""
    i = COLUMN["inflight_max"]
    median = float(view.usual.median[i])
    return bounded((view.values[i] - median) / max(float(view.usual.spread[i]), math.sqrt(median), 1.0), -10, 50)


def _rps_z(view: View) -> float:
    """(value − median) / spread, the spread at least that of a Poisson count over the window."""
    i = COLUMN["rps"]
    median = float(view.usual.median[i])
    poisson = math.sqrt(max(median, _RPS_FLOOR) / view.now.span_s)
    return bounded((view.values[i] - median) / max(float(view.usual.spread[i]), poisson), -10, 50)


def _rps_sentence(view: View) -> str:
    value, usual = rate(view.value_of("rps")), rate(view.usual_of("rps"))
    return against_usual("traffic", value, view.ratio("rps", _RPS_FLOOR), usual)


def _trend(metric: str, what: str, span_min: int) -> tuple[Formula, Sentence]:
    i = TREND[metric]

    def compute(view: View) -> float:
        return bounded((view.slope_5m if span_min == 5 else view.slope_15m)[i], -2, 5)

    def sentence(view: View) -> str:
        slope = compute(view)
        verb = "rise" if slope > 0 else "fall"
        return f"{what} {verb} by {percent(abs(slope))} of the usual a minute over {span_min} minutes"

    return compute, sentence


def _share(count: int, window: WindowStats) -> float:
    return bounded(count / max(window.requests, 1), 0, 1)


def _client_excess(view: View) -> float:
    """Share of 4xx answers now, beyond the usual share."""
    return bounded(view.value_of("client_share") - view.usual_of("client_share"), -1, 1)


def _client_sentence(view: View) -> str:
    now, usual = percent(view.value_of("client_share")), percent(view.usual_of("client_share"))
    return f"{now} of the answers are 4xx, usually {usual}"


def _limited_excess(view: View) -> float:
    """Share refused by a rate limit now, beyond the usual share: some routes are always limited."""
    return bounded(view.value_of("limited_share") - view.usual_of("limited_share"), -1, 1)


def _limited_sentence(view: View) -> str:
    now, usual = percent(view.value_of("limited_share")), percent(view.usual_of("limited_share"))
    return f"{now} of the requests were refused by a rate limit, usually {usual}"


REFUSAL: Final = (
    Feature(
        "client_error_excess",
        "share",
        "refusals",
        1,
        _client_excess,
        _client_sentence,
    ),
    Feature("limited_excess", "share", "refusals", 1, _limited_excess, _limited_sentence),
    Feature(
        "broken_share_5m",
        "share",
        "refusals",
        1,
        lambda v: _share(v.tick.w5.broken, v.tick.w5),
        lambda v: f"{v.tick.w5.broken} of {v.tick.w5.requests} requests of 5 minutes met an open circuit",
    ),
    Feature(
        "bad_minutes_1h",
        "min",
        "past",
        1,
        lambda v: bounded(v.bad_last_hour, 0, 60),
        lambda v: f"{v.bad_last_hour} of its minutes in the past hour were failing",
    ),
)

LOAD: Final = (
    Feature("inflight_ratio", "× usual", "saturation", 1, _over("inflight_max", 1.0), _inflight_sentence),
    Feature("inflight_z", "spreads", "saturation", 1, _inflight_z, _inflight_sentence),
    Feature("concurrency_ratio", "× usual", "saturation", 1, _over("concurrency", _RPS_FLOOR), _concurrency_sentence),
    Feature(
        "inflight_slope_15m",
        "usual/min",
        "saturation trend",
        1,
        *_trend("inflight_max", "requests in flight", 15),
    ),
    Feature(
        "concurrency_slope_5m",
        "usual/min",
        "saturation trend",
        1,
        *_trend("concurrency", "mean concurrent requests", 5),
    ),
    Feature("rps_ratio", "× usual", "traffic", 0, _over("rps", _RPS_FLOOR), _rps_sentence),
    Feature("rps_z", "spreads", "traffic", 0, _rps_z, _rps_sentence),
    Feature("rps_slope_5m", "usual/min", "traffic trend", 0, *_trend("rps", "requests", 5)),
    Feature("rps_slope_15m", "usual/min", "traffic trend", 0, *_trend("rps", "requests", 15)),
    *REFUSAL,
)
