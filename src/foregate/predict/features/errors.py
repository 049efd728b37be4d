"""Failures that are still below the failure definition: level, trend, timeouts, retries."""

import math
from typing import Final

from foregate.predict.features.feature import Feature, bounded
from foregate.predict.features.view import TREND, View
from foregate.predict.features.words import percent
from foregate.predict.history import COLUMN
from foregate.wire.window import WindowStats


def _timeout_share(window: WindowStats) -> float:
    return bounded(window.timeout_rate, 0, 1)


def _error_z(view: View) -> float:
    """How far the error rate is above its usual, in standard deviations of a binomial count of this size."""
    i = COLUMN["error_rate"]
    n = max(view.now.requests, 1)
    usual = float(view.usual.median[i])
    p = max(usual, 1.0 / n)  # a usual of exactly 0 would make every single error infinitely surprising
    spread = max(float(view.usual.spread[i]), math.sqrt(p * (1 - min(p, 0.99)) / n))
    return bounded((view.values[i] - usual) / spread, -10, 50)


def _rate_sentence(view: View) -> str:
    now = view.now
    return (
        f"error rate is {percent(now.error_rate)} ({now.errors} of {now.requests} requests), "
        f"usually {percent(view.usual_of('error_rate'))}"
    )


def _window_sentence(window: WindowStats, span: str, usual: float) -> str:
    return f"error rate of the last {span} is {percent(window.error_rate)}, usually {percent(usual)}"


def _slope_sentence(view: View) -> str:
    slope = float(view.slope_5m[TREND["error_rate"]])
    verb = "rises" if slope > 0 else "falls"
    return (
        f"error rate {verb} by {percent(abs(slope))} of requests a minute, now {percent(view.value_of('error_rate'))}"
    )


def _timeout_sentence(window: WindowStats, span: str) -> str:
    return f"{window.timeouts} of {window.requests} requests of the last {span} timed out"


def _retries(window: WindowStats) -> float:
    return bounded(window.retries / max(window.requests, 1), 0, 5)


def _retry_sentence(window: WindowStats, span: str) -> str:
    noun = "retry" if window.retries == 1 else "retries"
    return f"{window.retries} {noun} for {window.requests} requests in the last {span}"


def _headroom(view: View) -> float:
    """Errors of the last minute beyond the usual, as a share of the 5 % that count as failing."""
    return bounded((view.now.error_rate - view.usual_of("error_rate")) / 0.05, 0, 1)


def _headroom_sentence(view: View) -> str:
    rate = percent(view.now.error_rate)
    return f"an error rate of {rate} uses {_headroom(view) * 100:.0f} % of the way to the 5 % that count as failing"


ERRORS: Final = (
    Feature("error_rate_1m", "share", "errors", 1, lambda v: bounded(v.now.error_rate, 0, 1), _rate_sentence),
    Feature(
        "error_rate_5m",
        "share",
        "errors",
        1,
        lambda v: bounded(v.tick.w5.error_rate, 0, 1),
        lambda v: _window_sentence(v.tick.w5, "5 minutes", v.usual_of("error_rate")),
    ),
    Feature(
        "error_rate_15m",
        "share",
        "errors",
        1,
        lambda v: bounded(v.tick.w15.error_rate, 0, 1),
        lambda v: _window_sentence(v.tick.w15, "15 minutes", v.usual_of("error_rate")),
    ),
    Feature("error_z", "spreads", "errors", 1, _error_z, _rate_sentence),
    Feature("error_headroom", "share", "errors", 1, _headroom, _headroom_sentence),
    Feature(
        "error_slope_5m",
        "share/min",
        "error trend",
        1,
        lambda v: bounded(v.slope_5m[TREND["error_rate"]], -1, 1),
        _slope_sentence,
    ),
    Feature(
        "timeouts_1m",
        "share",
        "timeouts",
        1,
        lambda v: _timeout_share(v.now),
        lambda v: _timeout_sentence(v.now, "minute" if v.now is v.tick.w1 else "5 minutes"),
    ),
    Feature(
        "timeouts_5m",
        "share",
        "timeouts",
        1,
        lambda v: _timeout_share(v.tick.w5),
        lambda v: _timeout_sentence(v.tick.w5, "5 minutes"),
    ),
    Feature(
        "retries_1m",
        "per request",
        "retries",
        1,
        lambda v: _retries(v.now),
        lambda v: _retry_sentence(v.now, "minute" if v.now is v.tick.w1 else "5 minutes"),
    ),
    Feature(
        "retries_5m",
        "per request",
        "retries",
        1,
        lambda v: _retries(v.tick.w5),
        lambda v: _retry_sentence(v.tick.w5, "5 minutes"),
    ),
)
