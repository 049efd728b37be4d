"""Load: saturation, waiting, traffic, refusals, and failures of the recent past."""

from collections.abc import Callable
from functools import cache
from typing import Final

import numpy as np

from foregate.predict.features.feature import Feature, Formula, Sentence, bounded, once, over
from foregate.predict.features.frame import Frame
from foregate.predict.features.words import against_usual, count, ms, percent, rate, times, zero
from foregate.predict.usual import Floats

_RPS_FLOOR = 0.05  # three requests a minute
_OWN_SHARE_MIN = 0.01  # of the latency: less is nothing to speak of


@cache
def _over(metric: str, floor: float, span: int = 0) -> Formula:
    return once(lambda f: over(f.span(metric, span) if span else f.now(metric), f.median(metric), floor, 0.02))


def _level(what: str, metric: str, floor: float, words: Callable[[float], str], span: int = 0) -> Sentence:
    """A metric against its usual, as `_over` of the same arguments computes it."""
    ratio, when = _over(metric, floor, span), f" of the last {span} minutes" if span else ""

    def sentence(f: Frame, i: int) -> str:
        value, usual = (f.span(metric, span) if span else f.now(metric))[i], f.median(metric)[i]
        return against_usual(f"{what}{when}", words(float(value)), float(ratio(f)[i]), words(float(usual)))

    return sentence


def _inflight(span: int = 0) -> Sentence:
    return _level("the most requests in flight at once", "inflight_max", 1.0, lambda value: f"{value:.0f}", span)


def _concurrency(span: int = 0) -> Sentence:
    return _level("mean concurrency (requests/s × latency)", "concurrency", _RPS_FLOOR, count, span)


def _traffic(span: int = 0) -> Sentence:
    return _level("traffic", "rps", _RPS_FLOOR, rate, span)


def _inflight_z(f: Frame) -> Floats:
    """(value − median) / spread, the spread at least the square root of the median, and 1 request."""
    median = f.median("inflight_max")
    spread = np.maximum(f.spread("inflight_max"), np.maximum(np.sqrt(np.maximum(median, 0)), 1))
    return bounded((f.now("inflight_max") - median) / spread, -10, 50)


def _rps_z(f: Frame) -> Floats:
    """(value − median) / spread, the spread at least that of a Poisson count over the window."""
    median = f.median("rps")
    seconds = np.where(f.sparse, np.float32(300), np.float32(60))
    spread = np.maximum(f.spread("rps"), np.sqrt(np.maximum(median, _RPS_FLOOR) / seconds))
    return bounded((f.now("rps") - median) / spread, -10, 50)


@once
def _season(f: Frame) -> Floats:
    return over(f.span("rps", 5), f.seasonal("rps"), _RPS_FLOOR, 0.02)


def _season_sentence(f: Frame, i: int) -> str:
    value, usual = rate(float(f.span("rps", 5)[i])), rate(float(f.seasonal("rps")[i]))
    return f"traffic is {value}, {times(float(_season(f)[i]))} the {usual} of this time on other days"


def _borne(metric: str, floor: float) -> Formula:
    """The last five minutes against the worst minute of the reference: what it has borne without failing."""
    return lambda f: over(f.span(metric, 5), f.worst(metric), floor, 0.02)


def _borne_sentence(metric: str, floor: float, what: str) -> Sentence:
    ratio = _borne(metric, floor)

    def sentence(f: Frame, i: int) -> str:
        value, worst = count(float(f.span(metric, 5)[i])), count(float(f.worst(metric)[i]))
        return f"{what} are {value}, {times(float(ratio(f)[i]))} the {worst} of the worst minute that it has borne"

    return sentence


def _trend(metric: str, floor: float, what: str, span: int) -> tuple[Formula, Sentence]:
    """As a share of the usual level per minute."""

    @once
    def compute(f: Frame) -> Floats:
        return bounded(f.slope(metric, span) / np.maximum(f.median(metric), np.float32(floor)), -2, 5)

    def sentence(f: Frame, i: int) -> str:
        slope = float(compute(f)[i])
        verb = "rise" if slope > 0 else "fall"
        return f"{what} {verb} by {percent(abs(slope))} of the usual a minute over {span} minutes"

    return compute, sentence


def _tau(metric: str, what: str, span: int) -> tuple[Formula, Sentence]:
    def sentence(f: Frame, i: int) -> str:
        share = (float(f.tau(metric, span)[i]) + 1) / 2 * 100
        return f"{what} rose in {share:.0f} % of the comparisons within the last {span} minutes"

    return lambda f: f.tau(metric, span), sentence


def _excess(metric: str) -> Formula:
    """Of the last five minutes, beyond the usual share: some routes are always limited."""
    return lambda f: bounded(f.span(metric, 5) - f.median(metric), -1, 1)


def _excess_sentence(metric: str, what: str) -> Sentence:
    def sentence(f: Frame, i: int) -> str:
        now, usual = percent(float(f.span(metric, 5)[i])), percent(zero(f.median(metric)[i]))
        return f"{now} of the requests of 5 minutes {what}, usually {usual}"

    return sentence


@once
def _waiting(f: Frame) -> Floats:
    """Share of the time that requests spend waiting for a connection or a slot, over five minutes."""
    return bounded(f.level("queue_mean_ms", 5) / np.maximum(f.level("mean_ms", 5), 1), 0, 1)


def _waiting_sentence(f: Frame, i: int) -> str:
    waited, mean = ms(float(f.level("queue_mean_ms", 5)[i])), ms(float(f.level("mean_ms", 5)[i]))
    return f"requests of 5 minutes waited {waited} of their {mean} for a connection or a slot"


@once
def _beside(f: Frame) -> Floats:
    """Share of the mean latency that the last upstream attempt does not explain: waits, retries, the gateway itself."""
    mean = f.level("mean_ms", 5)
    return bounded((mean - f.level("upstream_mean_ms", 5)) / np.maximum(mean, 1), -1, 1)


def _beside_sentence(f: Frame, i: int) -> str:
    mean, share = ms(float(f.level("mean_ms", 5)[i])), float(_beside(f)[i])
    if share < _OWN_SHARE_MIN:
        return f"the mean latency of {mean} is the upstream's own: nothing waits before it"
    return f"{percent(share)} of the mean latency of {mean} is spent before the last upstream attempt"


LOAD: Final = (
    Feature("inflight_ratio", "× usual", "saturation", 1, _over("inflight_max", 1.0), _inflight()),
    Feature("inflight_ratio_5m", "× usual", "saturation", 1, _over("inflight_max", 1.0, 5), _inflight(5)),
    Feature("inflight_z", "spreads", "saturation", 1, _inflight_z, _inflight()),
    Feature("concurrency_ratio", "× usual", "saturation", 1, _over("concurrency", _RPS_FLOOR), _concurrency()),
    Feature(
        "concurrency_ratio_15m", "× usual", "saturation", 1, _over("concurrency", _RPS_FLOOR, 15), _concurrency(15)
    ),
    *(
        Feature(name, "× worst", "saturation", 1, _borne(metric, floor), _borne_sentence(metric, floor, what))
        for name, metric, floor, what in (
            ("inflight_borne_5m", "inflight_max", 1.0, "requests in flight"),
            ("concurrency_borne_5m", "concurrency", _RPS_FLOOR, "mean concurrent requests"),
        )
    ),
    *(
        Feature(f"{name}_slope_{span}m", "usual/min", "saturation trend", 1, *_trend(metric, floor, what, span))
        for name, metric, floor, what, span in (
            ("inflight", "inflight_max", 1.0, "requests in flight", 15),
            ("concurrency", "concurrency", _RPS_FLOOR, "mean concurrent requests", 15),
            ("concurrency", "concurrency", _RPS_FLOOR, "mean concurrent requests", 60),
        )
    ),
    Feature(
        "concurrency_tau_60m", "−1 to 1", "saturation trend", 1, *_tau("concurrency", "mean concurrent requests", 60)
    ),
    Feature("waiting_share", "share", "waiting", 1, _waiting, _waiting_sentence),
    Feature("beside_share", "share", "waiting", 0, _beside, _beside_sentence),
    Feature("rps_ratio", "× usual", "traffic", 0, _over("rps", _RPS_FLOOR), _traffic()),
    Feature("rps_ratio_15m", "× usual", "traffic", 0, _over("rps", _RPS_FLOOR, 15), _traffic(15)),
    Feature("rps_z", "spreads", "traffic", 0, _rps_z, _traffic()),
    Feature("rps_season_ratio", "× usual", "traffic season", 0, _season, _season_sentence),
    Feature("rps_slope_15m", "usual/min", "traffic trend", 0, *_trend("rps", _RPS_FLOOR, "requests", 15)),
    Feature("rps_slope_60m", "usual/min", "traffic trend", 0, *_trend("rps", _RPS_FLOOR, "requests", 60)),
    Feature("rps_tau_60m", "−1 to 1", "traffic trend", 0, *_tau("rps", "traffic", 60)),
    Feature(
        "client_error_excess", "share", "refusals", 1, _excess("client_share"),
        _excess_sentence("client_share", "were answered 4xx"),
    ),
    Feature(
        "limited_excess", "share", "refusals", 1, _excess("limited_share"),
        _excess_sentence("limited_share", "were refused by a rate limit"),
    ),
    Feature(
        "upstream_limited_5m", "share", "refusals", 1, lambda f: bounded(f.share("upstream_limited", 5), 0, 1),
        lambda f, i: f"the upstream answered 429 to {percent(float(f.share('upstream_limited', 5)[i]))} of 5 minutes",
    ),
    Feature(
        "broken_share_5m", "share", "refusals", 1, lambda f: bounded(f.share("broken", 5), 0, 1),
        lambda f, i: f"{percent(float(f.share('broken', 5)[i]))} of the requests of 5 minutes met an open circuit",
    ),
    Feature(
        "bad_minutes_1h", "min", "past", 1, lambda f: f.bad_minutes(),
        lambda f, i: f"{f.bad_minutes()[i]:.0f} of its minutes in the past hour were failing",
    ),
    Feature(
        "known_minutes", "min", "history", 0, lambda f: f.usual.minutes.astype(np.float32),
        lambda f, i: f"its usual levels are made of {f.usual.minutes[i]} minutes",
    ),
)  # fmt: skip
