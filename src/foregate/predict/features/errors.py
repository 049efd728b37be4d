"""Failures that are still below the failure definition: level, trend, timeouts, retries."""

from typing import Final

import numpy as np

from foregate.predict.features.feature import Feature, Formula, Sentence, bounded, once
from foregate.predict.features.frame import Frame
from foregate.predict.features.words import percent, zero
from foregate.predict.usual import BAD_ERRORS, BAD_SHARE, Floats

_SPANS: Final = {1: "minute", 5: "5 minutes", 15: "15 minutes", 60: "hour"}


def _share(name: str, span: int, high: float = 1.0) -> Formula:
    return lambda f: bounded(f.share(name, span), 0, high)


def _rate_sentence(span: int) -> Sentence:
    def sentence(f: Frame, i: int) -> str:
        share, usual = percent(float(f.share("errors", span)[i])), percent(_usual(f, i))
        errors, requests = f.count("errors", span)[i], f.count("requests", span)[i]
        return f"error rate of the last {_SPANS[span]} is {share} ({errors:.0f} of {requests:.0f}), usually {usual}"

    return sentence


def _now_sentence(f: Frame, i: int) -> str:
    """Of the minutes that "now" is made of: see `Frame.now`."""
    return _rate_sentence(5 if f.sparse[i] else 1)(f, i)


_rate_5m: Final = _rate_sentence(5)


def _usual(f: Frame, i: int) -> float:
    return zero(f.median("error_rate")[i])


def _error_z(f: Frame) -> Floats:
    """How far the error rate is above its usual, in standard deviations of a binomial count of this size."""
    n = np.maximum(np.where(f.sparse, f.count("requests", 5), f.count("requests", 1)), 1)
    usual = f.median("error_rate")
    p = np.clip(usual, 1 / n, np.float32(0.99))  # a usual of exactly 0 would make every error infinitely surprising
    spread = np.maximum(f.spread("error_rate"), np.sqrt(p * (1 - p) / n))
    return bounded((f.now("error_rate") - usual) / spread, -10, 50)


@once
def _error_z_5m(f: Frame) -> Floats:
    n = np.maximum(f.count("requests", 5), 1)
    usual = f.median("error_rate")
    p = np.clip(usual, 1 / n, np.float32(0.99))
    return bounded((f.share("errors", 5) - usual) / np.sqrt(p * (1 - p) / n), -10, 50)


def _z_sentence(f: Frame, i: int) -> str:
    return f"{_rate_5m(f, i)}: {float(_error_z_5m(f)[i]):.1f} standard deviations of chance"


@once
def failing_share(f: Frame) -> Floats:
    """The share of errors from which a minute of this much traffic counts as failing, (n,)."""
    per_minute = np.maximum(f.mean("requests", 5), 1)
    return np.clip(np.float32(BAD_ERRORS) / per_minute, np.float32(BAD_SHARE), np.float32(5)).astype(np.float32)


@once
def _headroom(f: Frame) -> Floats:
    """Errors of the last minute beyond the usual, as a share of what counts as failing."""
    return bounded((f.share("errors", 1) - f.median("error_rate")) / failing_share(f), 0, 2)


def _headroom_sentence(f: Frame, i: int) -> str:
    share, limit = percent(float(f.share("errors", 1)[i])), percent(float(failing_share(f)[i]))
    used = float(_headroom(f)[i]) * 100
    return f"an error rate of {share} uses {used:.0f} % of the way to the {limit} that count as failing"


@once
def _worst(f: Frame) -> Floats:
    """The highest error rate of a minute in the last 15, as a share of what counts as failing."""
    rates = f.trail("error_rate", 15)
    return bounded(np.where(np.isnan(rates), 0, rates).max(axis=1) / failing_share(f), 0, 3)


def _worst_sentence(f: Frame, i: int) -> str:
    highest = percent(float(_worst(f)[i] * failing_share(f)[i]))
    return f"its worst minute of the last 15 had an error rate of {highest}"


def _slope_sentence(f: Frame, i: int) -> str:
    slope = float(f.slope("error_rate", 15)[i])
    verb = "rises" if slope > 0 else "falls"
    now = percent(zero(f.now("error_rate")[i]))
    return f"error rate {verb} by {percent(abs(slope))} of requests a minute over 15 minutes, now {now}"


def _timeout_sentence(span: int) -> Sentence:
    return lambda f, i: (
        f"{f.count('timeouts', span)[i]:.0f} of {f.count('requests', span)[i]:.0f} requests of the last "
        f"{_SPANS[span]} timed out"
    )


def _retry_sentence(span: int) -> Sentence:
    def sentence(f: Frame, i: int) -> str:
        retries = round(float(f.count("retries", span)[i]))
        noun = "retry" if retries == 1 else "retries"
        return f"{retries} {noun} for {f.count('requests', span)[i]:.0f} requests in the last {_SPANS[span]}"

    return sentence


def _retry_excess(f: Frame) -> Floats:
    return bounded(f.share("retries", 5) - f.median("retry_share"), -1, 3)


def _possible_sentence(f: Frame, i: int) -> str:
    return f"at its traffic, {percent(float(failing_share(f)[i]))} of a minute's requests must fail to count as failing"


ERRORS: Final = (
    *(
        Feature(f"error_rate_{span}m", "share", "errors", 1, _share("errors", span), _rate_sentence(span))
        for span in (1, 5, 15, 60)
    ),
    Feature("error_z", "spreads", "errors", 1, _error_z, _now_sentence),
    Feature("error_z_5m", "deviations", "errors", 1, _error_z_5m, _z_sentence),
    Feature("error_headroom", "share", "errors", 1, _headroom, _headroom_sentence),
    Feature("error_worst_15m", "share", "errors", 1, _worst, _worst_sentence),
    Feature("failing_share", "share", "history", 0, failing_share, _possible_sentence),
    Feature(
        "error_slope_15m",
        "share/min",
        "error trend",
        1,
        lambda f: bounded(f.slope("error_rate", 15), -1, 1),
        _slope_sentence,
    ),
    *(
        Feature(f"timeouts_{span}m", "share", "timeouts", 1, _share("timeouts", span), _timeout_sentence(span))
        for span in (1, 5, 15)
    ),
    *(
        Feature(f"retries_{span}m", "per request", "retries", 1, _share("retries", span, 5), _retry_sentence(span))
        for span in (1, 5)
    ),
    Feature("retry_excess_5m", "per request", "retries", 1, _retry_excess, _retry_sentence(5)),
)
